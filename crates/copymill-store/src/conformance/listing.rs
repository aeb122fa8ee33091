//! Promises about listings.

use std::sync::Arc;

use super::{Pair, put};
use crate::Store;

/// More than a page of any store: S3 returns at most 1,000 keys.
const MORE_THAN_A_PAGE: usize = 1100;
const WRITERS: usize = 16;

/// Pages put together are every key once, in order; the empty page is the end.
pub async fn a_listing_is_ascending_and_complete_over_pages([store, other]: Pair) {
    let expected: Vec<String> =
        (0..MORE_THAN_A_PAGE).map(|number| format!("output/{number:05}.jsonl")).collect();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, keys) = (Arc::clone(&store), expected.clone());
        writers.spawn(async move {
            for key in keys.iter().skip(writer).step_by(WRITERS) {
                put(&store, key, "x").await;
            }
        });
    }
    writers.join_all().await;

    put(&store, "input/00000.jsonl", "x").await;
    put(&store, "zzz", "x").await;
    assert_eq!(all_keys(&other, "output/").await, expected);
    let pages = pages(&other, "").await;
    assert!(pages.len() > 1, "{MORE_THAN_A_PAGE} keys came as one page, so nothing limits a page");
    assert_eq!(pages.concat().len(), MORE_THAN_A_PAGE + 2);
}

/// A prefix is text: it may end within a part, and matches nothing but keys that begin with it.
pub async fn a_listing_holds_to_its_prefix([store, _]: Pair) {
    for key in ["output/00001", "output/00002", "output/00012", "output-old/1", "out", "a/output/1"] {
        put(&store, key, "x").await;
    }
    assert_eq!(all_keys(&store, "output/0000").await, ["output/00001", "output/00002"]);
    assert_eq!(all_keys(&store, "output/").await, ["output/00001", "output/00002", "output/00012"]);
    assert_eq!(all_keys(&store, "out").await.len(), 5);
    assert_eq!(all_keys(&store, "output/00001").await, ["output/00001"]);
    for nothing in ["output/00001/", "missing/", "../", "a//", "/"] {
        assert!(store.list(nothing, None).await.expect("lists").is_empty(), "{nothing}");
    }
}

/// `after` need not be a key, and need not have the prefix.
pub async fn a_listing_goes_on_after_any_key([store, _]: Pair) {
    for key in ["a/1", "a/3", "b/1/x", "b/1/z", "c"] {
        put(&store, key, "x").await;
    }
    let keys_after = async |prefix: &str, after: &str| -> Vec<String> {
        let page = store.list(prefix, Some(after)).await.expect("lists");
        page.into_iter().map(|listed| listed.key).collect()
    };
    assert_eq!(keys_after("", "a/1").await, ["a/3", "b/1/x", "b/1/z", "c"]);
    assert_eq!(keys_after("", "a/2").await, ["a/3", "b/1/x", "b/1/z", "c"]);
    assert_eq!(keys_after("", "b/1/x").await, ["b/1/z", "c"]);
    assert_eq!(keys_after("", "b/1/y/0").await, ["b/1/z", "c"]);
    assert_eq!(keys_after("b/", "a").await, ["b/1/x", "b/1/z"]);
    assert!(keys_after("a/", "b").await.is_empty());
    assert!(keys_after("", "c").await.is_empty());
}

/// The slash is one of the bytes: `a-b` lies before `a/b`, and that before `a0`.
pub async fn a_listing_orders_keys_as_bytes([store, _]: Pair) {
    let mut expected = ["a-b", "a.b/c", "a/b", "a/b-c", "a0", "B", "é", "客"];
    for key in expected {
        put(&store, key, "x").await;
    }
    expected.sort_unstable();
    assert_eq!(all_keys(&store, "").await, expected);
}

async fn all_keys(store: &Arc<dyn Store>, prefix: &str) -> Vec<String> {
    pages(store, prefix).await.concat()
}

async fn pages(store: &Arc<dyn Store>, prefix: &str) -> Vec<Vec<String>> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.last()).map(String::as_str);
        let page = store.list(prefix, after).await.expect("lists");
        if page.is_empty() {
            return pages;
        }
        pages.push(page.into_iter().map(|listed| listed.key).collect());
    }
}

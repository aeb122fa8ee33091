//! Promises about many writers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Barrier;

use super::{Pair, body_of, put, put_if};
use crate::{Condition, Put, Store};

const WRITERS: usize = 8;
const ROUNDS: usize = 40;
const INCREMENTS: usize = 15;
const LARGE_BODY_BYTES: usize = 1 << 20;
const REPLACEMENTS: u8 = 30;

/// Of writers that create one key, one is told so, and its body is what is there.
pub async fn one_of_many_writers_creates_an_object(stores: Pair) {
    for round in 0..ROUNDS {
        let key = format!("races/{round}");
        let winners = race(&stores, &key, &Condition::IfAbsent).await;
        assert_winner(&stores, &key, &winners).await;
    }
}

/// Of writers that replace what they all read, one is told so, and its body is what is there.
pub async fn one_of_many_writers_replaces_an_object(stores: Pair) {
    let mut etag = put(&stores[0], "lease", "nobody").await;
    for _ in 0..ROUNDS {
        let winners = race(&stores, "lease", &Condition::IfMatch(etag)).await;
        etag = assert_winner(&stores, "lease", &winners).await;
    }
}

/// Writers that read, add one and put back on a match together count right.
pub async fn no_increment_of_a_counter_is_lost(stores: Pair) {
    put(&stores[0], "counter", "0").await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&stores[writer % stores.len()]);
        writers.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&store, "counter").await;
            }
        });
    }
    writers.join_all().await;
    let expected = (WRITERS * INCREMENTS).to_string();
    assert_eq!(body_of(&stores[1], "counter").await, Some(Bytes::from(expected)));
}

/// A body that is being replaced is read as the old one or the new one, and never is absent.
pub async fn a_reader_never_sees_half_an_object([writer, reader]: Pair) {
    put(&writer, "large", vec![0; LARGE_BODY_BYTES]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let reads = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            while !is_over.load(Ordering::SeqCst) {
                let body =
                    body_of(&reader, "large").await.expect("an object that is replaced is always there");
                assert_eq!(body.len(), LARGE_BODY_BYTES);
                assert!(body.iter().all(|byte| *byte == body[0]), "a reader saw parts of two bodies");
                let listed = reader.list("", None).await.expect("lists");
                assert_eq!(listed.len(), 1, "what is being written is not listed: {listed:?}");
            }
        }
    });
    for content in 1..=REPLACEMENTS {
        put(&writer, "large", vec![content; LARGE_BODY_BYTES]).await;
    }
    is_over.store(true, Ordering::SeqCst);
    reads.await.expect("the reader found nothing wrong");
}

/// Adds one to an object that is a decimal number, however many others do.
pub async fn increment(store: &Arc<dyn Store>, key: &str) {
    loop {
        let object = store.get(key).await.expect("reads").expect("the counter is there");
        let text = std::str::from_utf8(&object.body).expect("a counter is text");
        let next = text.parse::<u64>().expect("a counter is a number") + 1;
        if let Put::Stored(_) = put_if(store, key, next.to_string(), Condition::IfMatch(object.etag)).await {
            return;
        }
    }
}

/// Lets all writers put at once; returns who was told that it wrote, with the new ETag.
async fn race(stores: &Pair, key: &str, condition: &Condition) -> Vec<(usize, String)> {
    let start = Arc::new(Barrier::new(WRITERS));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, start) = (Arc::clone(&stores[writer % stores.len()]), Arc::clone(&start));
        let (key, condition) = (key.to_owned(), condition.clone());
        writers.spawn(async move {
            start.wait().await;
            match put_if(&store, &key, format!("{key} by {writer} over {condition:?}"), condition).await {
                Put::Stored(etag) => Some((writer, etag)),
                Put::Refused => None,
            }
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

async fn assert_winner(stores: &Pair, key: &str, winners: &[(usize, String)]) -> String {
    let [(winner, etag)] = winners else { panic!("{} of {WRITERS} writers won {key}", winners.len()) };
    let object = stores[winner % 2].get(key).await.expect("reads").expect("the winner's object is there");
    assert!(object.body.starts_with(format!("{key} by {winner} ").as_bytes()), "another body is in force");
    assert_eq!(&object.etag, etag);
    etag.clone()
}

//! Promises about one object and one caller.

use std::sync::Arc;

use bytes::Bytes;

use super::{Pair, body_of, put, put_if};
use crate::{Condition, KEY_BYTES_MAX, KEY_PART_BYTES_MAX, Listed, Put, Store, StoreError};

/// Larger than a part of a multipart upload, which is 16 MiB.
const LARGE_BYTES: usize = 17 << 20;

/// Get and head return what the put wrote, from either store.
pub async fn an_object_comes_back_as_it_was_put([store, other]: Pair) {
    let etag = put(&store, "campaigns/a/state.json", "one").await;
    for reader in [store, other] {
        let object = reader.get("campaigns/a/state.json").await.expect("reads").expect("is there");
        assert_eq!((object.body, object.etag), (Bytes::from("one"), etag.clone()));
        let looked_at = reader.head("campaigns/a/state.json").await.expect("looks");
        assert_eq!(looked_at, Some(Listed { key: "campaigns/a/state.json".into(), bytes: 3 }));
    }
}

/// Nothing is an answer, not an error.
pub async fn a_missing_key_is_none_and_its_deletion_success([store, _]: Pair) {
    put(&store, "a/b", "one").await;
    for missing in ["nothing", "a/c", "nothing/at/all"] {
        is_missing(&store, missing).await;
    }
    assert_eq!(body_of(&store, "a/b").await, Some(Bytes::from("one")));
}

/// Where only a longer key is there, its beginning is missing like any other.
pub async fn the_beginning_of_a_key_is_another_key([store, _]: Pair) {
    put(&store, "a/b", "one").await;
    is_missing(&store, "a").await;
    assert_eq!(body_of(&store, "a/b").await, Some(Bytes::from("one")));
}

async fn is_missing(store: &Arc<dyn Store>, key: &str) {
    assert!(store.get(key).await.expect("reads").is_none(), "{key}");
    assert!(store.head(key).await.expect("looks").is_none(), "{key}");
    store.delete(key).await.expect("deletes");
}

/// After a deletion the key is as if it had never been.
pub async fn a_deleted_object_is_gone_and_its_key_free([store, other]: Pair) {
    let etag = put(&store, "a/b", "one").await;
    store.delete("a/b").await.expect("deletes");
    assert_eq!(body_of(&other, "a/b").await, None);
    assert!(other.list("", None).await.expect("lists").is_empty());
    assert_eq!(put_if(&other, "a/b", "two", Condition::IfMatch(etag)).await, Put::Refused);
    assert!(matches!(put_if(&other, "a/b", "two", Condition::IfAbsent).await, Put::Stored(_)));
}

/// The last unconditional put is what is read.
pub async fn an_unconditional_put_replaces([store, other]: Pair) {
    put(&store, "a", "a long first body").await;
    put(&other, "a", "two").await;
    assert_eq!(body_of(&store, "a").await, Some(Bytes::from("two")));
}

/// A refused creation writes nothing.
pub async fn if_absent_keeps_what_is_there([store, other]: Pair) {
    assert!(matches!(put_if(&store, "a/b/c", "one", Condition::IfAbsent).await, Put::Stored(_)));
    assert_eq!(put_if(&other, "a/b/c", "two", Condition::IfAbsent).await, Put::Refused);
    assert_eq!(put_if(&store, "a/b/c", "one", Condition::IfAbsent).await, Put::Refused);
    assert_eq!(body_of(&store, "a/b/c").await, Some(Bytes::from("one")));
}

/// An outdated ETag, and a missing object, refuse; the ETag of a put and of a get are the same one.
pub async fn if_match_replaces_only_what_was_read([store, other]: Pair) {
    let first = put(&store, "a", "one").await;
    assert_eq!(put_if(&other, "missing", "two", Condition::IfMatch(first.clone())).await, Put::Refused);
    assert_eq!(body_of(&store, "missing").await, None);

    let Put::Stored(second) = put_if(&other, "a", "two", Condition::IfMatch(first.clone())).await else {
        panic!("the current ETag was refused");
    };
    assert_eq!(put_if(&store, "a", "three", Condition::IfMatch(first)).await, Put::Refused);
    let read = store.get("a").await.expect("reads").expect("is there");
    assert_eq!((read.body, read.etag), (Bytes::from("two"), second.clone()));
    assert!(matches!(put_if(&store, "a", "three", Condition::IfMatch(second)).await, Put::Stored(_)));
}

/// Two contents never share an ETag.
pub async fn an_etag_changes_with_the_content([store, _]: Pair) {
    let first = put(&store, "a", "one").await;
    let second = put(&store, "a", "two").await;
    assert_ne!(first, second);
}

/// Absent and empty are different things.
pub async fn an_empty_object_is_an_object([store, other]: Pair) {
    let etag = put(&store, "_SUCCESS", Bytes::new()).await;
    assert_eq!(body_of(&other, "_SUCCESS").await, Some(Bytes::new()));
    assert_eq!(other.head("_SUCCESS").await.expect("looks").map(|found| found.bytes), Some(0));
    assert_eq!(put_if(&other, "_SUCCESS", "x", Condition::IfAbsent).await, Put::Refused);
    assert!(matches!(put_if(&other, "_SUCCESS", "x", Condition::IfMatch(etag)).await, Put::Stored(_)));
}

/// Bodies are bytes, not text; keys are Unicode, with spaces and the signs that file names have.
pub async fn any_bytes_and_any_script_are_kept([store, other]: Pair) {
    let every_byte: Bytes = (0..=255).collect();
    for key in ["gold|tents", "a b/ü", "客户/名单", "emoji 🎪", "a+b=c&d%20e", "~x/(1)'*!", "back\\slash"]
    {
        put(&store, key, every_byte.clone()).await;
        assert_eq!(body_of(&other, key).await, Some(every_byte.clone()), "{key}");
        let listed = other.list(key, None).await.expect("lists");
        assert_eq!(listed, [Listed { key: key.into(), bytes: 256 }]);
    }
}

/// The same keys are refused everywhere, so that a campaign can move from a folder to S3.
pub async fn keys_that_not_every_store_can_hold_are_refused([store, _]: Pair) {
    let too_long = format!("{}x", "x/".repeat(KEY_BYTES_MAX / 2));
    let part_too_long = "x".repeat(KEY_PART_BYTES_MAX + 1);
    let fixed =
        ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp/x", "a/.b", "a\0b", "a\nb"];
    for key in fixed.into_iter().chain([too_long.as_str(), part_too_long.as_str()]) {
        let refusals = [
            store.get(key).await.err(),
            store.head(key).await.err(),
            store.delete(key).await.err(),
            store.put(key, "x".into(), Condition::Always).await.err(),
        ];
        assert!(
            refusals.iter().all(|error| matches!(error, Some(StoreError::BadKey(_)))),
            "{key:?}: {refusals:?}"
        );
    }
    assert!(store.list("", None).await.expect("lists").is_empty());
}

/// The limits of keys are themselves allowed.
pub async fn the_longest_key_is_kept([store, other]: Pair) {
    let part = "x".repeat(KEY_PART_BYTES_MAX);
    let rest = KEY_BYTES_MAX - 2 * (KEY_PART_BYTES_MAX + 1);
    let key = &format!("{part}/{part}/{}/{}", "y".repeat(rest / 2), "z".repeat(rest - rest / 2 - 1));
    assert_eq!(key.len(), KEY_BYTES_MAX);
    put(&store, key, "one").await;
    assert_eq!(other.list("", None).await.expect("lists"), [Listed { key: key.into(), bytes: 3 }]);
}

/// Objects of any size go from file to file; a large one goes in parts where the store has such.
pub async fn large_objects_go_from_file_to_file([store, other]: Pair) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for bytes in [0, 1, LARGE_BYTES] {
        let (key, content) = (&format!("audience-{bytes}.csv"), write_file(&from, bytes));
        let Put::Stored(etag) = store.upload(key, &from, Condition::Always).await.expect("uploads") else {
            panic!("an unconditional upload was refused")
        };
        let found = other.download(key, &to).await.expect("downloads").expect("is there");
        assert_eq!((&found.key, found.bytes), (key, bytes as u64));
        assert!(std::fs::read(&to).expect("reads") == content, "{bytes} bytes came back changed");
        assert_eq!(other.get(key).await.expect("reads").expect("is there").etag, etag);
    }
    assert!(other.download("missing", &to).await.expect("answers").is_none());
}

/// An object of one size takes the place of one of another, in parts or whole.
pub async fn a_file_replaces_one_of_any_other_size([store, other]: Pair) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for bytes in [1, LARGE_BYTES, 0, LARGE_BYTES + 1, 2] {
        let content = write_file(&from, bytes);
        store.upload("audience.csv", &from, Condition::Always).await.expect("uploads");
        let found = other.download("audience.csv", &to).await.expect("downloads").expect("is there");
        assert_eq!(found.bytes, bytes as u64);
        assert!(std::fs::read(&to).expect("reads") == content, "{bytes} bytes came back changed");
    }
}

/// Conditions hold for files of any size, also for those that go in parts.
pub async fn a_condition_holds_for_files_of_any_size([store, other]: Pair) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let from = folder.path().join("from");
    let mut earlier = None;
    for bytes in [0, 1, LARGE_BYTES] {
        write_file(&from, bytes);
        let upload = async |condition| store.upload("audience.csv", &from, condition).await.expect("answers");
        let Put::Stored(etag) = upload(Condition::Always).await else { panic!("it asked for nothing") };
        assert_eq!(upload(Condition::IfAbsent).await, Put::Refused);
        if let Some(stale) = earlier.replace(etag.clone()) {
            assert_eq!(upload(Condition::IfMatch(stale)).await, Put::Refused);
        }
        assert!(matches!(upload(Condition::IfMatch(etag)).await, Put::Stored(_)));
        assert_eq!(other.head("audience.csv").await.expect("looks").expect("is there").bytes, bytes as u64);
    }
}

/// Writes a file of so many bytes; its content.
fn write_file(path: &std::path::Path, bytes: usize) -> Vec<u8> {
    let content: Vec<u8> = (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect();
    std::fs::write(path, &content).expect("writes");
    content
}

//! The S3 store is a store: on a server of our own, and on two that others wrote, one of them under a lock of ours.

use std::sync::Arc;

use copymill_store::{Condition, S3Settings, S3Store, Store};
use copymill_tests::s3::{ACCESS_KEY, S3Fault, S3Files, S3Server, SECRET_KEY};
use copymill_tests::servers::Moto;
use hyper::Method;
use tempfile::NamedTempFile;

/// Bytes that are put in parts.
const LARGE: usize = 20 << 20;

mod own {
    use super::*;

    async fn server() -> (Arc<dyn Store>, Arc<dyn Store>, (S3Server, NamedTempFile)) {
        let (server, credentials) = (S3Server::start(0).await.unwrap(), credentials());
        let open = || open(server.url(), "bucket/some/prefix", &credentials);
        let (first, second) = (open().await, open().await);
        (first, second, (server, credentials))
    }

    copymill_store::conformance_suite!(server);
}

mod files {
    use super::*;

    async fn server() -> (Arc<dyn Store>, Arc<dyn Store>, (S3Files, NamedTempFile)) {
        let (server, credentials) = (S3Files::start("bucket").await.unwrap(), credentials());
        let open = || open(server.url(), "bucket/some/prefix", &credentials);
        let (first, second) = (open().await, open().await);
        (first, second, (server, credentials))
    }

    // A key is the path of a file, and its checksum is in a file that is named after the whole key, which parts that are put
    // together leave as it was.
    copymill_store::conformance_suite!(server, with plain files);
}

mod moto {
    use super::*;

    async fn server() -> (Arc<dyn Store>, Arc<dyn Store>, NamedTempFile) {
        let (credentials, moto) = (credentials(), tokio::task::spawn_blocking(Moto::shared).await.unwrap());
        let bucket = tokio::task::spawn_blocking(|| moto.new_bucket()).await.unwrap();
        let open = || open(moto.url(), &bucket, &credentials);
        let (first, second) = (open().await, open().await);
        (first, second, credentials)
    }

    // It looks first and writes then: several of the writers that race are told that they won. When parts are put together,
    // it does not look at all.
    copymill_store::conformance_suite!(server, for one writer at a time);
}

fn credentials() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    std::fs::write(file.path(), text).unwrap();
    file
}

async fn open(endpoint: String, location: &str, credentials: &NamedTempFile) -> Arc<dyn Store> {
    Arc::new(S3Store::open(location, settings(endpoint, credentials)).await.unwrap())
}

fn settings(endpoint: String, credentials: &NamedTempFile) -> S3Settings {
    S3Settings {
        endpoint: Some(endpoint),
        path_style: true,
        region: Some("us-east-1".into()),
        credentials_file: Some(credentials.path().to_owned()),
        ..S3Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_has_the_storage_class_and_the_key_of_the_settings_however_large_it_is() {
    let (credentials, moto) = (credentials(), tokio::task::spawn_blocking(Moto::shared).await.unwrap());
    let bucket = tokio::task::spawn_blocking(|| moto.new_bucket()).await.unwrap();
    let settings = S3Settings {
        kms_key: Some("alias/campaigns".into()),
        storage_class: Some("STANDARD_IA".into()),
        ..settings(moto.url(), &credentials)
    };
    let store = S3Store::open(&bucket, settings).await.unwrap();
    for (key, bytes) in [("one-put", 10), ("in-parts", LARGE)] {
        store.put(key, vec![b'x'; bytes].into(), Condition::Always).await.unwrap();
        let url = format!("{}/{bucket}/{key}", moto.url());
        let asking = move || {
            ureq::head(&url).set("Authorization", "not looked at").call().map_err(|error| error.to_string())
        };
        let answer = tokio::task::spawn_blocking(asking).await.unwrap().unwrap();
        let header = |name: &str| answer.header(name);
        assert_eq!(header("x-amz-storage-class"), Some("STANDARD_IA"), "{key}");
        assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"), "{key}");
        let named = header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(named, Some("alias/campaigns"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_does_not_fit_its_checksum_is_not_read() {
    let (server, credentials) = (S3Files::start("bucket").await.unwrap(), credentials());
    let store = open(server.url(), "bucket", &credentials).await;
    store.put("output/00000.jsonl", "two hundred lines".into(), Condition::Always).await.unwrap();
    std::fs::write(server.file("bucket/output/00000.jsonl"), "two hundred limes").unwrap();

    let to = NamedTempFile::new().unwrap();
    let read = store.get("output/00000.jsonl").await.map(|_| ());
    let copied = store.download("output/00000.jsonl", to.path()).await.map(|_| ());
    for answer in [read, copied] {
        let error = anyhow::Error::new(answer.unwrap_err());
        let text = format!("{error:#}");
        assert!(text.contains("output/00000.jsonl") && text.contains("checksum mismatch"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changed_on_its_way_is_not_stored() {
    let (server, credentials) = (S3Server::start(0).await.unwrap(), credentials());
    let store = open(server.url(), "bucket", &credentials).await;
    for (key, bytes) in [("one-put", 10), ("in-parts", LARGE)] {
        let garbled = server.fail(Method::PUT, key, S3Fault::Garbled, 1);
        let put = store.put(key, vec![b'x'; bytes].into(), Condition::Always).await;
        let error = anyhow::Error::new(put.unwrap_err());
        let text = format!("{error:#}");
        assert!(text.contains(key) && text.contains("the server answers 400"), "{text}");
        assert_eq!(garbled.fired(), 1, "{key}");
        assert_eq!(store.head(key).await.unwrap(), None, "{key}");
        store.put(key, vec![b'x'; bytes].into(), Condition::Always).await.unwrap();
    }
}

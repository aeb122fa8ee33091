//! The S3 store is a store: on a server of our own, and on moto, which others wrote.

use std::sync::Arc;

use copymill_store::{S3Settings, S3Store, Store};
use copymill_tests::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use copymill_tests::servers::Moto;
use tempfile::NamedTempFile;

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
    let settings = S3Settings {
        endpoint: Some(endpoint),
        path_style: true,
        region: Some("us-east-1".into()),
        credentials_file: Some(credentials.path().to_owned()),
        ..S3Settings::default()
    };
    Arc::new(S3Store::open(location, settings).await.unwrap())
}

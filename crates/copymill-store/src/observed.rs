//! A store whose calls are counted and timed, and followed in traces.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use tracing::{Instrument, debug_span};

use crate::{Condition, Listed, Object, Put, Store, StoreError};

/// What [`ObservedStore`] calls operations.
pub const STORE_OPERATIONS: [&str; 7] = ["get", "put", "head", "delete", "list", "download", "upload"];
/// What it calls their results: a condition that did not hold is `refused`.
pub const STORE_RESULTS: [&str; 3] = ["ok", "refused", "error"];

/// Is told the operation, its result, and how long it took.
pub type StoreObserver = Arc<dyn Fn(&'static str, &'static str, Duration) + Send + Sync>;

/// A store that tells an observer of every call.
pub struct ObservedStore {
    inner: Arc<dyn Store>,
    observer: StoreObserver,
}

impl ObservedStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn Store>, observer: StoreObserver) -> Self {
        Self { inner, observer }
    }

    async fn observe<T>(
        &self,
        (operation, key): (&'static str, &str),
        call: impl Future<Output = Result<T, StoreError>> + Send,
        is_refused: impl FnOnce(&T) -> bool,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let result =
            call.instrument(debug_span!("store", store.operation = operation, store.key = key)).await;
        let word = match &result {
            Ok(value) if is_refused(value) => "refused",
            Ok(_) => "ok",
            Err(_) => "error",
        };
        (self.observer)(operation, word, begun.elapsed());
        result
    }
}

#[async_trait]
impl Store for ObservedStore {
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        self.observe(("get", key), self.inner.get(key), |_| false).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Result<Put, StoreError> {
        self.observe(("put", key), self.inner.put(key, body, condition), |put| *put == Put::Refused).await
    }

    async fn head(&self, key: &str) -> Result<Option<Listed>, StoreError> {
        self.observe(("head", key), self.inner.head(key), |_| false).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.observe(("delete", key), self.inner.delete(key), |()| false).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        self.observe(("list", prefix), self.inner.list(prefix, after), |_| false).await
    }

    async fn download(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError> {
        self.observe(("download", key), self.inner.download(key, to), |_| false).await
    }

    async fn upload(&self, key: &str, from: &Path, condition: Condition) -> Result<Put, StoreError> {
        let call = self.inner.upload(key, from, condition);
        self.observe(("upload", key), call, |put| *put == Put::Refused).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

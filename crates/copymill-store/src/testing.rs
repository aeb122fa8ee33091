//! A store that fails on command: counted and placed, never random.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::store::{Condition, Listed, Object, Put, Store, StoreError};

/// The operation a fault is placed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "these are the methods of the seam")]
pub enum Operation {
    Get,
    Put,
    Head,
    Delete,
    List,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The call has no effect and ends in [`StoreError::Failed`].
    BeforeEffect,
    /// The call takes effect and ends in [`StoreError::Failed`] all the same, as when the answer is lost.
    AfterEffect,
    /// The call has no effect and ends in [`StoreError::Full`].
    Full,
}

/// A placed fault. It is spent after its number of calls, and says how often it fired.
#[derive(Debug, Clone)]
pub struct Fault(Arc<Placed>);

#[derive(Debug)]
struct Placed {
    operation: Operation,
    key_part: String,
    failure: Failure,
    calls: u32,
    fired: AtomicU32,
}

impl Fault {
    /// Returns how many calls failed so far.
    pub fn fired(&self) -> u32 {
        self.0.fired.load(Ordering::SeqCst)
    }

    fn fires(&self, operation: Operation, key: &str) -> bool {
        let is_meant = self.0.operation == operation && key.contains(&self.0.key_part);
        let is_left = |fired: u32| (fired < self.0.calls).then_some(fired + 1);
        is_meant && self.0.fired.try_update(Ordering::SeqCst, Ordering::SeqCst, is_left).is_ok()
    }
}

/// Passes every call on to a store, except those that a fault is placed on.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Mutex<Vec<Fault>>,
}

impl FaultyStore {
    /// Wraps a store, without any fault yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    /// Makes the next `calls` calls of an operation fail whose key (of a list, the prefix) contains `key_part`.
    pub fn fail(&self, operation: Operation, key_part: &str, failure: Failure, calls: u32) -> Fault {
        let placed =
            Placed { operation, key_part: key_part.to_owned(), failure, calls, fired: AtomicU32::new(0) };
        let fault = Fault(Arc::new(placed));
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault.clone());
        fault
    }

    fn failure(&self, operation: Operation, key: &str) -> Option<Failure> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().find(|fault| fault.fires(operation, key)).map(|fault| fault.0.failure)
    }

    /// Runs a call, or fails it where a fault is placed.
    async fn run<T>(
        &self,
        operation: Operation,
        key: &str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let place = self.describe();
        match self.failure(operation, key) {
            None => return call.await,
            Some(Failure::Full) => return Err(StoreError::Full { place }),
            Some(Failure::BeforeEffect) => {}
            Some(Failure::AfterEffect) => drop(call.await?),
        }
        Err(StoreError::Failed {
            action: "do",
            key: key.to_owned(),
            place,
            source: "a test placed this fault".into(),
        })
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyStore").field("faults", &self.faults).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        self.run(Operation::Get, key, self.inner.get(key)).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Result<Put, StoreError> {
        self.run(Operation::Put, key, self.inner.put(key, body, condition)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Listed>, StoreError> {
        self.run(Operation::Head, key, self.inner.head(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.run(Operation::Delete, key, self.inner.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        self.run(Operation::List, prefix, self.inner.list(prefix, after)).await
    }

    async fn download(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError> {
        self.run(Operation::Get, key, self.inner.download(key, to)).await
    }

    async fn upload(&self, key: &str, from: &Path, condition: Condition) -> Result<Put, StoreError> {
        self.run(Operation::Put, key, self.inner.upload(key, from, condition)).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

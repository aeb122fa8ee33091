//! The folder store is a store.

use std::sync::Arc;

use copymill_store::{FolderStore, Store};
use tempfile::TempDir;

async fn folder() -> (Arc<dyn Store>, Arc<dyn Store>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("out");
    (Arc::new(FolderStore::open(&root).unwrap()), Arc::new(FolderStore::open(&root).unwrap()), directory)
}

copymill_store::conformance_suite!(folder);

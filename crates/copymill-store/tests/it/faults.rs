//! The store that fails on command fails where it was told, as often as it was told.

use std::sync::Arc;

use copymill_store::testing::{Failure, FaultyStore, Operation};
use copymill_store::{Condition, FolderStore, Put, Store, StoreError};

#[tokio::test]
async fn a_fault_fires_on_its_operation_and_keys_as_often_as_it_was_told() {
    let directory = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Arc::new(FolderStore::open(directory.path()).unwrap()));
    let fault = store.fail(Operation::Put, "output/", Failure::BeforeEffect, 2);

    store.put("campaigns/a/input/0", "x".into(), Condition::Always).await.unwrap();
    for fired in 1..=2 {
        let error = store.put("campaigns/a/output/0", "x".into(), Condition::Always).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }));
        assert_eq!(fault.fired(), fired);
        assert!(store.head("campaigns/a/output/0").await.unwrap().is_none());
    }
    store.put("campaigns/a/output/0", "x".into(), Condition::Always).await.unwrap();
    assert_eq!(fault.fired(), 2);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_effect() {
    let directory = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Arc::new(FolderStore::open(directory.path()).unwrap()));
    store.fail(Operation::Put, "", Failure::AfterEffect, 1);

    store.put("a", "mine".into(), Condition::IfAbsent).await.unwrap_err();
    assert_eq!(store.get("a").await.unwrap().unwrap().body, "mine");
    assert_eq!(store.put("a", "mine".into(), Condition::IfAbsent).await.unwrap(), Put::Refused);
}

#[tokio::test]
async fn a_store_can_be_full_on_command() {
    let directory = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Arc::new(FolderStore::open(directory.path()).unwrap()));
    store.fail(Operation::Put, "", Failure::Full, 1);

    let error = store.put("a", "x".into(), Condition::Always).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }));
    store.put("a", "x".into(), Condition::Always).await.unwrap();
}

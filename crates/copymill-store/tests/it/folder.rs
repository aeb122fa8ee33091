//! What people see in the folder, and what is left of writers that died.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use copymill_store::{Condition, FolderStore, Put, Store, StoreError};

/// The SHA-256 of "abc", from FIPS 180-4's examples.
const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn an_object_is_a_plain_file_at_its_key_and_its_etag_the_sha256() {
    let directory = tempfile::tempdir().unwrap();
    let store = FolderStore::open(directory.path().join("out")).unwrap();
    let put = store.put("campaigns/a/manifest.json", "abc".into(), Condition::IfAbsent).await.unwrap();
    assert_eq!(put, Put::Stored(ABC_SHA256.into()));

    let path = directory.path().join("out/campaigns/a/manifest.json");
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    let plain = directory.path().join("plain");
    File::create(&plain).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain), "an object can be read by whoever can read any other new file");
}

#[tokio::test]
async fn opening_and_reading_write_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("missing");
    let store = FolderStore::open(&root).unwrap();
    assert!(store.get("a").await.unwrap().is_none());
    assert!(store.list("", None).await.unwrap().is_empty());
    store.delete("a/b").await.unwrap();
    assert!(!root.exists());
}

#[tokio::test]
async fn a_file_is_no_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(FolderStore::open(file.path()), Err(StoreError::Failed { action: "open", .. })));
}

#[tokio::test]
async fn hidden_files_and_the_scratch_folder_are_no_objects() {
    let directory = tempfile::tempdir().unwrap();
    let store = FolderStore::open(directory.path()).unwrap();
    store.put("output/0", "x".into(), Condition::Always).await.unwrap();
    fs::write(directory.path().join("output/.DS_Store"), "x").unwrap();
    fs::write(directory.path().join(".hidden"), "x").unwrap();
    assert!(directory.path().join(".tmp").is_dir());
    assert_eq!(store.list("", None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn empty_folders_hide_no_object_behind_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = FolderStore::open(directory.path()).unwrap();
    for number in 0..2100 {
        fs::create_dir(directory.path().join(format!("empty-{number}"))).unwrap();
    }
    store.put("last/object", "x".into(), Condition::Always).await.unwrap();
    let listed = store.list("", None).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.key.as_str()).collect::<Vec<_>>(), ["last/object"]);
}

#[tokio::test]
async fn a_refused_or_finished_put_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = FolderStore::open(directory.path()).unwrap();
    for condition in
        [Condition::IfAbsent, Condition::IfAbsent, Condition::IfMatch("other".into()), Condition::Always]
    {
        store.put("a", "x".into(), condition).await.unwrap();
    }
    store.put("a/b", "beneath an object".into(), Condition::Always).await.unwrap_err();
    fs::create_dir(directory.path().join("folder")).unwrap();
    for condition in [Condition::IfAbsent, Condition::Always] {
        store.put("folder", "over a folder".into(), condition).await.unwrap_err();
    }
    assert!(temporary_files(directory.path()).is_empty());
}

#[tokio::test]
async fn opening_removes_only_old_temporary_files_without_a_writer() {
    let directory = tempfile::tempdir().unwrap();
    let scratch = directory.path().join(".tmp");
    fs::create_dir(&scratch).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let create = |name: &str, modified: SystemTime| {
        let file = File::create(scratch.join(name)).unwrap();
        file.set_modified(modified).unwrap();
        file
    };
    drop(create("put-dead", old));
    drop(create("put-just-created", SystemTime::now()));
    let writer = create("put-slow", old);
    writer.lock().unwrap();

    FolderStore::open(directory.path()).unwrap();
    let left = |name: &str| scratch.join(name).exists();
    assert!(!left("put-dead") && left("put-just-created") && left("put-slow"));

    drop(writer);
    FolderStore::open(directory.path()).unwrap();
    assert!(!left("put-slow"));
}

fn temporary_files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(".tmp")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap() != "lock").collect()
}

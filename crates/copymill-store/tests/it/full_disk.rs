//! A full disk is an answer of its own, leaves nothing behind, and passes when there is room.
//!
//! A limit on the size of files makes a write fail halfway on any machine. Where the machine allows mounting in a
//! namespace of one's own, the same holds on a file system of one mebibyte that really fills up.

use std::process::Command;

use bytes::Bytes;
use copymill_store::{Condition, FolderStore, Put, Store, StoreError};

const ROOT: &str = "FULL_DISK_TEST_ROOT";
const MOUNT: &str = "mount -t tmpfs -o size=1m none \"$FULL_DISK_TEST_ROOT\"";
const TOO_LARGE_BYTES: usize = 2 << 20;

#[test]
fn a_write_that_fails_halfway_is_reported_as_full_and_leaves_nothing() {
    // The limit is in blocks of 512 bytes; without the trap, a write beyond it would kill the process.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    assert_promise_holds_in(shell);
}

#[test]
fn a_file_system_that_is_full_is_reported_as_full_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let probe = Command::new("unshare").args(["-rm", "sh", "-c", MOUNT]).env(ROOT, directory.path()).output();
    if probe.is_ok_and(|probe| probe.status.success()) {
        let mut shell = Command::new("unshare");
        shell.args(["-rm", "sh", "-c", &format!("{MOUNT} && exec \"$0\" \"$@\"")]);
        assert_promise_holds_in(shell);
    }
}

/// Runs the test below in a process of its own that the shell prepares.
fn assert_promise_holds_in(mut shell: Command) {
    let directory = tempfile::tempdir().unwrap();
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "full_disk::the_process_without_room"]).env(ROOT, directory.path());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The body of the processes that the tests above start; alone it has nothing to do.
#[tokio::test]
async fn the_process_without_room() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let store = FolderStore::open(&root).unwrap();
    let Put::Stored(etag) = store.put("a/old", "old".into(), Condition::Always).await.unwrap() else {
        panic!()
    };

    let too_large = Bytes::from(vec![b'x'; TOO_LARGE_BYTES]);
    for (key, condition) in [
        ("a/new", Condition::Always),
        ("a/new", Condition::IfAbsent),
        ("a/old", Condition::Always),
        ("a/old", Condition::IfMatch(etag)),
    ] {
        let error = store.put(key, too_large.clone(), condition).await.unwrap_err();
        assert!(matches!(&error, StoreError::Full { place } if place.contains(&root)), "{error:?}");
    }
    assert!(store.head("a/new").await.unwrap().is_none());
    assert_eq!(store.get("a/old").await.unwrap().unwrap().body, "old");
    let scratch = std::fs::read_dir(format!("{root}/.tmp")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(scratch.collect::<Vec<_>>(), ["lock"]);
    store.put("a/new", "fits".into(), Condition::IfAbsent).await.unwrap();
}

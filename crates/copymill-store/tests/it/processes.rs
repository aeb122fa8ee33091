//! The promises about races hold between processes: this program starts itself as the other writers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use copymill_store::{Condition, FolderStore, Put, Store, conformance};

const ROOT: &str = "STORE_TEST_ROOT";
const PROCESSES: usize = 4;
const KEYS: usize = 40;
const INCREMENTS: usize = 25;

#[tokio::test]
async fn one_of_many_processes_creates_each_object_and_no_increment_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let store = FolderStore::open(directory.path()).unwrap();
    store.put("counter", "0".into(), Condition::Always).await.unwrap();
    let writers: Vec<_> = (0..PROCESSES).map(|_| start_writer(directory.path())).collect();

    let mut created = Vec::new();
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        created.extend(text.lines().filter_map(|line| line.strip_prefix("created ").map(str::to_owned)));
    }
    created.sort_unstable();
    let expected: Vec<String> = (0..KEYS).map(|number| format!("races/{number:02}")).collect();
    assert_eq!(created, expected, "each key once");
    let counter = store.get("counter").await.unwrap().unwrap().body;
    assert_eq!(counter, (PROCESSES * INCREMENTS).to_string());
}

fn start_writer(root: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::the_other_writer", "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The body of the processes that the test above starts; alone it has nothing to do.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn the_other_writer() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let store: Arc<dyn Store> = Arc::new(FolderStore::open(root).unwrap());
    for number in 0..KEYS {
        let key = format!("races/{number:02}");
        if let Put::Stored(_) = store.put(&key, "x".into(), Condition::IfAbsent).await.unwrap() {
            // The harness prints on the same stream without ending its line.
            println!("\ncreated {key}");
        }
    }
    for _ in 0..INCREMENTS {
        conformance::increment(&store, "counter").await;
    }
}

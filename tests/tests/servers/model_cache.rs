//! Models from a bucket on a disk that is full: an error with folder, bytes needed and bytes free, and no half file.

use std::path::Path;
use std::process::Command;

use copymill_model::{ModelPlaces, find_model};
use copymill_store::{Condition, S3Settings, S3Store, Store};
use copymill_tests::repository;
use copymill_tests::s3::{ACCESS_KEY, S3Server, SECRET_KEY};

const FOLDER: &str = "MODEL_CACHE_TEST_FOLDER";
const SERVER: &str = "MODEL_CACHE_TEST_SERVER";
const CREDENTIALS: &str = "MODEL_CACHE_TEST_CREDENTIALS";
const MOUNT: &str = "mount -t tmpfs -o size=256k none \"$MODEL_CACHE_TEST_FOLDER\"";
const MODEL: &str = "s3://models/demo.gguf";

fn settings(server: &str, credentials: &Path) -> S3Settings {
    S3Settings {
        endpoint: Some(server.to_owned()),
        path_style: true,
        region: Some("us-east-1".into()),
        credentials_file: Some(credentials.to_owned()),
        ..S3Settings::default()
    }
}

fn places(folder: &Path, s3: S3Settings) -> ModelPlaces {
    ModelPlaces { base: folder.to_owned(), cache: folder.to_owned(), cache_bytes: 64 << 20, s3 }
}

/// Runs the test below in a process of its own that the shell prepares, beside a server with a model.
async fn assert_promise_holds_in(mut shell: Command) {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("cache");
    std::fs::create_dir(&mount).unwrap();
    let credentials = folder.path().join("credentials");
    let keys = format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    std::fs::write(&credentials, keys).unwrap();
    let server = S3Server::start(0).await.unwrap();
    let store = S3Store::open("models", settings(&server.url(), &credentials)).await.unwrap();
    let model = std::fs::read(repository().join("examples/demo-model/demo.gguf")).unwrap();
    store.put("demo.gguf", model.into(), Condition::Always).await.unwrap();
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "model_cache::the_process_without_room"]);
    shell.env(FOLDER, &mount).env(SERVER, server.url()).env(CREDENTIALS, &credentials);
    let output = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // The same folder, with room: fetched whole, by whoever comes first.
    let places = places(folder.path(), settings(&server.url(), &credentials));
    let (one, other) = tokio::join!(find_model(MODEL, None, &places), find_model(MODEL, None, &places));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((&one.path, &one.pin), (&other.path, &other.pin));
    let asked = "0".repeat(64);
    let error = find_model(MODEL, Some(&asked), &places).await.unwrap_err().to_string();
    assert!(error.contains(&one.pin.sha256) && error.contains(&asked), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_writing_fails_halfway_leaves_nothing() {
    // The limit is in blocks of 512 bytes; without the trap, a write beyond it would kill the process.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    assert_promise_holds_in(shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let probe = Command::new("unshare").args(["-rm", "sh", "-c", MOUNT]).env(FOLDER, folder.path()).output();
    if probe.is_ok_and(|probe| probe.status.success()) {
        let mut shell = Command::new("unshare");
        shell.args(["-rm", "sh", "-c", &format!("{MOUNT} && exec \"$0\" \"$@\"")]);
        assert_promise_holds_in(shell).await;
    }
}

/// The body of the processes that the tests above start; alone it has nothing to do.
#[tokio::test]
async fn the_process_without_room() {
    let (Ok(folder), Ok(server), Ok(credentials)) =
        (std::env::var(FOLDER), std::env::var(SERVER), std::env::var(CREDENTIALS))
    else {
        return;
    };
    let places = places(Path::new(&folder), settings(&server, Path::new(&credentials)));
    let error = find_model(MODEL, None, &places).await.unwrap_err().to_string();
    let model = std::fs::metadata(repository().join("examples/demo-model/demo.gguf")).unwrap().len();
    assert!(error.starts_with(&format!("{MODEL} has {model} bytes and {folder}/fetched has ")), "{error}");
    assert!(error.contains("bytes free"), "{error}");
    let left: Vec<_> = std::fs::read_dir(format!("{folder}/fetched")).unwrap().collect();
    let left: Vec<_> = left.into_iter().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["fetching.lock"]);
}

//! Audiences and models that are objects of a user's own buckets.

use std::process::Command;

use copymill_store::{Condition, S3Object, S3Settings, S3Store, Store};
use copymill_tests::s3::S3Fault;
use copymill_tests::{Cluster, Running, program, repository};
use hyper::Method;
use serde_json::Value;

use crate::campaign::{EMAIL, PATIENCE, lines_of_json, parquet, recipients};

/// Puts an object into a bucket of the cluster's server, in place of the one that is there.
pub fn put(cluster: &Cluster, address: &str, body: impl Into<bytes::Bytes>) {
    assert!(S3Object::is_address(address));
    let (bucket, key) = address.trim_start_matches("s3://").split_once('/').unwrap();
    let settings = S3Settings {
        endpoint: Some(cluster.s3.url()),
        path_style: true,
        region: Some("us-east-1".into()),
        credentials_file: Some(cluster.place.path("credentials")),
        ..S3Settings::default()
    };
    let body = body.into();
    cluster.block_on(async {
        let store = S3Store::open(bucket, settings).await.unwrap();
        store.put(key, body, Condition::Always).await.unwrap();
    });
}

#[test]
fn an_audience_in_a_bucket_is_read_by_every_command_and_stays_as_it_was_submitted() {
    let cluster = Cluster::new(EMAIL, "");
    put(&cluster, "s3://lists/people", zstd::encode_all(recipients(60).as_bytes(), 1).unwrap());
    cluster.place.edit_campaign("source: recipients.csv", "source: s3://lists/people");
    let validated = cluster.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(
        validated.contains("60 recipients, CSV separated by commas, zstd, UTF-8, 4 columns"),
        "{validated}"
    );
    cluster.copymill(&["init", "s3://lists/people", "-o", "first.yaml"]).success();
    let first = std::fs::read_to_string(cluster.place.path("first.yaml")).unwrap();
    assert!(first.contains("s3://lists/people"), "{first}");
    // Connections that break while it is fetched cost nothing but another try.
    let fault = cluster.s3.fail(Method::GET, "/lists/people", S3Fault::Reset, 1);
    let id = cluster.submit();
    assert_eq!(fault.fired(), 1);
    put(&cluster, "s3://lists/people", "nothing like it");
    let _programs = (cluster.scheduler(), cluster.worker());
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    cluster.copymill(&["submit", "campaign.yaml"]).fails(64, &["the audience has no column"]);
    cluster.place.edit_campaign("source: s3://lists/people", "source: s3://lists/poeple");
    cluster.copymill(&["validate", "campaign.yaml"]).fails(64, &["there is no object s3://lists/poeple"]);
}

#[test]
fn audiences_in_parquet_and_in_lines_of_json_are_planned_as_one_in_csv_is() {
    let people = recipients(60);
    let packed = zstd::encode_all(lines_of_json(&people).as_bytes(), 1).unwrap();
    let mut results: Vec<Vec<(Value, Value)>> = Vec::new();
    for (address, body, shown) in [
        ("s3://lists/people.csv", people.clone().into_bytes(), "CSV separated by commas"),
        ("s3://lists/people.parquet", parquet(&people), "Parquet"),
        ("s3://lists/people.jsonl.zst", packed, "JSONL, zstd"),
    ] {
        let cluster = Cluster::new(EMAIL, "");
        put(&cluster, address, body);
        cluster.place.edit_campaign("source: recipients.csv", &format!("source: {address}"));
        let validated = cluster.copymill(&["validate", "campaign.yaml"]).success().stdout;
        assert!(validated.contains(&format!("60 recipients, {shown}")), "{validated}");
        let id = cluster.submit();
        let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
        cluster.wait_for(&id, "completed", PATIENCE);
        cluster.verify(&id, 120);
        let lines = cluster.results(&id);
        results.push(
            lines.iter().map(|line| (line["recipient_id"].clone(), line["recipient"].clone())).collect(),
        );
    }
    assert_eq!(results[0].len(), 120);
    assert!(results[0].iter().all(|(_, recipient)| recipient["tier"].is_string()), "{:?}", results[0][0]);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn a_worker_whose_disk_is_full_says_so_and_leaves_nothing_and_another_one_does_its_work() {
    let campaign = EMAIL.replace("model: demo", "model: s3://models/shop/demo.gguf");
    let cluster = Cluster::new(&campaign, recipients(60));
    let model = std::fs::read(repository().join("examples/demo-model/demo.gguf")).unwrap();
    let bytes = format!("{} bytes", model.len());
    put(&cluster, "s3://models/shop/demo.gguf", model);
    let (id, _scheduler) = (cluster.submit(), cluster.scheduler());
    let named = ("COPYMILL_WORKER__MODEL", "s3://models/shop/demo.gguf");
    // No file may grow beyond half a MiB, as on a disk that is full by then.
    let mut full = Command::new("bash");
    full.args(["-c", r#"trap '' XFSZ; ulimit -f 512; exec "$0""#]).arg(program("copymill-worker"));
    full.current_dir(cluster.place.path("")).envs(cluster.environment()).envs([named]);
    full.env("COPYMILL_WORKER__CACHE", cluster.place.path("full")).env_remove("COPYMILL_LOG");
    let folder = cluster.place.path("full").display().to_string();
    Running::spawn(full)
        .finish()
        .fails(1, &[&folder, &bytes, "bytes free; free some, or name another folder"]);
    let left: Vec<_> = std::fs::read_dir(cluster.place.path("full/fetched")).unwrap().flatten().collect();
    let bytes: u64 = left.iter().map(|entry| entry.metadata().unwrap().len()).sum();
    assert_eq!(bytes, 0, "half a file is never left: {left:?}");
    let _worker = cluster.start("copymill-worker", "waiting for chunks", &[named]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

#[test]
fn workers_take_their_model_from_a_bucket_and_fetch_it_once_into_the_folder_that_they_share() {
    let campaign = EMAIL.replace("model: demo", "model: s3://models/shop/demo.gguf");
    let cluster = Cluster::new(&campaign, recipients(60));
    let model = std::fs::read(repository().join("examples/demo-model/demo.gguf")).unwrap();
    put(&cluster, "s3://models/shop/demo.gguf", model.clone());
    let id = cluster.submit();
    // What the command line fetched is gone, so that the workers have to.
    std::fs::remove_dir_all(cluster.place.path(".cache/copymill/fetched")).unwrap();
    let named = [("COPYMILL_WORKER__MODEL", "s3://models/shop/demo.gguf")];
    let _scheduler = cluster.scheduler();
    let workers = [(); 2].map(|()| cluster.start("copymill-worker", "waiting for chunks", &named));
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    let fetches: usize = workers.iter().map(|worker| worker.log().matches("fetching a model").count()).sum();
    assert_eq!(fetches, 1);
    let kept = std::fs::read_dir(cluster.place.path(".cache/copymill/fetched")).unwrap();
    let sizes: Vec<u64> = kept
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with("-demo.gguf"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    assert_eq!(sizes, [model.len() as u64]);
}

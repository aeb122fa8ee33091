//! Objects that somebody altered or cut off: never counted, always named.

use copymill_tests::Cluster;

use crate::campaign::{EMAIL, PATIENCE, recipients};

fn flip(body: &mut [u8]) {
    let middle = body.len() / 2;
    body[middle] ^= 0x40;
}

fn cut_off(body: &mut Vec<u8>) {
    body.truncate(body.len() / 2);
}

/// The campaign ends as failed, and both its status and `verify` name the object.
fn fails_over(cluster: &Cluster, id: &str, key: &str) {
    cluster.wait_for(id, "failed", PATIENCE);
    let name = &key[key.find("campaigns/").unwrap()..];
    let said = cluster.copymill(&["status", id]).success().stdout;
    assert!(said.contains(name) && said.contains("is damaged"), "{name} in:\n{said}");
    let verified = cluster.copymill(&["verify", id]);
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    assert!(verified.stdout.contains(name), "{name} in:\n{}", verified.stdout);
}

fn a_damaged_input_fails_the_campaign(damage: fn(&mut Vec<u8>)) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _scheduler = cluster.scheduler();
    let id = cluster.submit();
    cluster.wait_for(&id, "running", PATIENCE);
    let key = cluster.s3.alter("/input/00001", damage);
    let _worker = cluster.scripted_worker(0, &[]);
    fails_over(&cluster, &id, &key);
}

#[test]
fn an_input_object_that_was_altered_fails_the_campaign_by_name() {
    a_damaged_input_fails_the_campaign(|body| flip(body));
}

#[test]
fn an_input_object_that_was_cut_off_fails_the_campaign_by_name() {
    a_damaged_input_fails_the_campaign(cut_off);
}

fn a_damaged_output_fails_the_campaign(damage: fn(&mut Vec<u8>)) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let leader = cluster.scheduler();
    let worker = cluster.scripted_worker(300, &[]);
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 1, PATIENCE);
    // The next leader counts from the objects.
    leader.kill();
    worker.kill();
    let key = cluster.s3.alter("/output/", damage);
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    fails_over(&cluster, &id, &key);
}

#[test]
fn an_output_object_that_was_altered_fails_the_campaign_by_name() {
    a_damaged_output_fails_the_campaign(|body| flip(body));
}

#[test]
fn an_output_object_that_was_cut_off_fails_the_campaign_by_name() {
    a_damaged_output_fails_the_campaign(cut_off);
}

#[test]
fn an_output_object_that_was_altered_after_the_end_is_named_by_verify() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    let damaged = cluster.s3.alter("/output/00001", |body| flip(body));
    let verified = cluster.copymill(&["verify", &id]);
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    let name = &damaged[damaged.find("output/").unwrap()..];
    assert!(verified.stdout.contains(name), "{name} in:\n{}", verified.stdout);
}

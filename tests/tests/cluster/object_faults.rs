//! Objects that somebody altered or cut off are never counted: what can be made again is, and what is in force is named.

use copymill_tests::servers::wait_until;
use copymill_tests::{Cluster, Program};

use crate::campaign::{EMAIL, PATIENCE, recipients};

fn flip(body: &mut [u8]) {
    let middle = body.len() / 2;
    body[middle] ^= 0x40;
}

fn cut_off(body: &mut Vec<u8>) {
    body.truncate(body.len() / 2);
}

/// The campaign is completed although an object was damaged, and everything is there once.
fn is_mended(cluster: &Cluster, id: &str, leader: &Program, says: &str) {
    cluster.wait_for(id, "completed", PATIENCE);
    cluster.verify(id, 120);
    assert!(leader.log().contains(says), "{says} in:\n{}", leader.log());
    assert_eq!(cluster.results(id).len(), 120);
}

#[test]
fn an_audience_that_was_altered_after_its_campaign_was_accepted_fails_it_and_nobody_is_written_to() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let id = cluster.submit();
    cluster.s3.alter("/audiences/", |rows| rows.extend_from_slice(b"c-60,Eve,tents,gold\n"));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    cluster.wait_for(&id, "failed", PATIENCE);
    let status = cluster.copymill(&["status", &id]).success().stdout;
    assert!(
        status.contains("the audience audiences/")
            && status.contains("changed since the campaign was accepted"),
        "{status}"
    );
    assert_eq!(cluster.messages_of(&id), 0);
}

fn a_damaged_input_is_cut_again(damage: fn(&mut Vec<u8>)) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let leader = cluster.scheduler();
    let id = cluster.submit();
    cluster.wait_for(&id, "running", PATIENCE);
    let before = cluster.s3.object("/input/00001").unwrap();
    cluster.s3.alter("/input/00001", damage);
    assert_ne!(cluster.s3.object("/input/00001").unwrap(), before);
    let _worker = cluster.scripted_worker(0, &[]);
    is_mended(&cluster, &id, &leader, "the input of a chunk is damaged: it is cut again");
    assert_eq!(cluster.s3.object("/input/00001").unwrap(), before, "the same rows are in it");
}

#[test]
fn an_input_object_that_was_altered_is_cut_again() {
    a_damaged_input_is_cut_again(|body| flip(body));
}

#[test]
fn an_input_object_that_was_cut_off_is_cut_again() {
    a_damaged_input_is_cut_again(cut_off);
}

/// A cluster whose programs were killed once the first output was stored: the next leader counts from the objects.
fn killed_after_its_first_output() -> (Cluster, String) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let programs = [cluster.scheduler(), cluster.scripted_worker(300, &[])];
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 1, PATIENCE);
    programs.into_iter().for_each(Program::kill);
    (cluster, id)
}

fn a_damaged_output_is_written_again(damage: fn(&mut Vec<u8>)) {
    let (cluster, id) = killed_after_its_first_output();
    let damaged = cluster.s3.alter("/output/", damage);
    let next = cluster.scheduler();
    let _worker = cluster.scripted_worker(0, &[]);
    is_mended(&cluster, &id, &next, "an output is written again");
    let again = damaged[damaged.find("campaigns/").unwrap()..].replace(".jsonl.zst", ".g2.jsonl.zst");
    assert!(cluster.s3.object(&again).is_some(), "{again} stands beside the damaged one");
}

#[test]
fn an_output_object_that_was_altered_is_written_again_beside_it() {
    a_damaged_output_is_written_again(|body| flip(body));
}

#[test]
fn an_output_object_that_was_cut_off_is_written_again_beside_it() {
    a_damaged_output_is_written_again(cut_off);
}

#[test]
fn inputs_whose_very_headers_are_gone_are_cut_again_by_the_next_leader() {
    let cluster = Cluster::new(EMAIL, recipients(90));
    let leader = cluster.scheduler();
    let id = cluster.submit();
    cluster.wait_for(&id, "running", PATIENCE);
    leader.kill();
    let names = ["/input/00003", "/input/00004"];
    let before = names.map(|name| cluster.s3.object(name).unwrap());
    // The last one, and its neighbour.
    for name in names {
        cluster.s3.alter(name, |body| body.truncate(3));
    }
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 180);
    assert_eq!(names.map(|name| cluster.s3.object(name).unwrap()), before, "the same rows are in them");
}

#[test]
fn an_output_that_was_written_again_counts_although_the_first_one_is_whole_again() {
    let (cluster, id) = killed_after_its_first_output();
    let first = cluster.s3.object("/output/").unwrap();
    let damaged = cluster.s3.alter("/output/", |body| flip(body));
    let next = cluster.scheduler();
    let slow = cluster.scripted_worker(300, &[]);
    let again = damaged[damaged.find("campaigns/").unwrap()..].replace(".jsonl.zst", ".g2.jsonl.zst");
    wait_until("it is written again", PATIENCE, || cluster.s3.object(&again).is_some());
    next.kill();
    slow.kill();
    cluster.s3.alter(&damaged, |body| *body = first.to_vec());
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    let manifest = cluster.s3.object("/manifest.json").unwrap();
    let manifest = String::from_utf8(manifest.to_vec()).unwrap();
    assert!(manifest.contains(".g2.jsonl.zst") && manifest.contains("\"generation\": 2"), "{manifest}");
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

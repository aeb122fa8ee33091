//! Stores that ignore conditions without saying so.

use copymill_tests::servers::{Rclone, wait_until};
use copymill_tests::{Cluster, Running};

use crate::campaign::{EMAIL, PATIENCE, recipients};

#[test]
fn programs_refuse_a_store_that_ignores_conditions_unless_they_are_told_to_bear_it() {
    let (cluster, rclone) = (Cluster::new(EMAIL, recipients(20)), Rclone::start());
    let url = rclone.url();
    let mut environment = vec![("COPYMILL_STORE__S3__ENDPOINT", url.as_str())];
    for name in ["copymill-scheduler", "scripted-worker"] {
        let says = ["does not honour If-None-Match", "of 8 writers", "store.unconditional: true"];
        cluster.run(name, &environment).fails(1, &says);
    }
    environment.push(("COPYMILL_STORE__UNCONDITIONAL", "true"));
    let scheduler = cluster.start("copymill-scheduler", "standing by", &environment);
    assert!(scheduler.log().contains("ignores conditions"), "{}", scheduler.log());
    scheduler.wait_for("leading", PATIENCE);
    // One scheduler and workers that die of nothing need no conditions.
    let _worker = cluster.start("scripted-worker", "waiting for chunks", &environment);
    let copymill = |arguments: &[&str]| {
        let mut command = cluster.place.command(arguments);
        command.envs(cluster.environment()).envs(environment.iter().copied());
        Running::spawn(command).finish().success().stdout
    };
    let id = copymill(&["submit", "campaign.yaml"]);
    wait_until("the campaign is completed", PATIENCE, || {
        copymill(&["status", id.trim()]).contains("completed")
    });
    assert!(copymill(&["verify", id.trim()]).contains("40 messages of 20 recipients"));
}

#[test]
fn programs_refuse_a_store_that_honours_only_the_condition_that_an_object_is_absent() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    cluster.s3.ignore_if_match();
    for name in ["copymill-scheduler", "scripted-worker"] {
        cluster
            .run(name, &[])
            .fails(1, &["does not honour If-Match: of 8 writers", "store.unconditional: true"]);
    }
}

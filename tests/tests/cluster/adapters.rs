//! Workers and campaigns with an adapter on their model.

use copymill_tests::Cluster;
use copymill_tests::adapter::{DEMO, write_adapter};

use crate::campaign::{EMAIL, PATIENCE, recipients};

#[test]
fn chunks_go_to_workers_with_their_adapter_and_to_no_others() {
    let cluster = Cluster::new(EMAIL, recipients(40));
    write_adapter(&cluster.place.path("voice.gguf"), &DEMO, 0.0);
    let scheduler = cluster.scheduler();
    let plain = cluster.worker();
    let without = cluster.submit();
    cluster.place.edit_campaign("model: demo", "model: demo\nadapter: voice.gguf");
    let with = cluster.submit();
    assert_ne!(with, without);
    cluster.wait_for(&without, "completed", PATIENCE);
    assert_eq!(cluster.messages_of(&with), 0, "no worker has the adapter yet");
    let adapted =
        cluster.start("copymill-worker", "waiting for chunks", &[("COPYMILL_WORKER__ADAPTER", "voice.gguf")]);
    assert!(adapted.log().contains("with an adapter"), "{}", adapted.log());
    cluster.wait_for(&with, "completed", PATIENCE);
    cluster.verify(&without, 80);
    cluster.verify(&with, 80);
    let models = |id: &str| {
        let lines = cluster.results(id).into_iter().map(|line| line["model_sha256"].to_string());
        lines.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!((models(&with).len(), models(&without).len()), (1, 1));
    assert_ne!(models(&with), models(&without));
    for program in [plain, adapted, scheduler] {
        program.stop(PATIENCE);
    }
}

//! The measurements themselves, on a model small enough to write in a moment.

use copymill_engine::LlamaSettings;
use copymill_engine::bench::random_model::{Shape, write};
use copymill_engine::bench::{Workload, compare};

use crate::demo_model;

#[tokio::test]
async fn the_engine_is_compared_with_a_bare_loop_on_the_same_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    let shape = Shape { layers: 2, width: 64, heads: 2, context: 256, vocabulary: 5000 };
    write(&path, shape, &demo_model()).unwrap();
    let settings = LlamaSettings { slots: Some(4), threads: Some(1), ..LlamaSettings::new(&path) };
    let workload = Workload { rows: 8, shared: 60, own: 10, generated: 40, constrained: true, watch: None };
    let comparison = compare(&settings, &workload, 1, true).await.unwrap();
    let stats = &comparison.rounds[0].stats;
    assert_eq!(stats.generated_tokens, 8 * 40);
    assert_eq!(stats.prompt_tokens, 60 + 8 * 10);
    assert!(stats.forced_tokens > 0);
    assert!(comparison.share_of_bare() > 0.0 && comparison.sharing_gain().unwrap() > 0.0);
}

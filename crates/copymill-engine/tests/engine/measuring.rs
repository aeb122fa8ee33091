//! The yardstick itself, on a model small enough to write in a moment.

use std::time::Duration;

use copymill_engine::LlamaSettings;
use copymill_engine::bench::random_model::{Shape, write};
use copymill_engine::bench::{Replay, ReplayRow, replay};

use crate::demo_model;

#[test]
fn a_bare_loop_repeats_more_rows_than_it_has_slots_and_no_row_gets_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    let shape = Shape { layers: 2, width: 64, heads: 2, context: 256, vocabulary: 5000 };
    write(&path, shape, &demo_model()).unwrap();
    let settings = LlamaSettings {
        slots: Some(4),
        threads: Some(1),
        batch: 64,
        micro_batch: 64,
        ..LlamaSettings::new(&path)
    };
    let row = |own: u32, generated: u32| ReplayRow {
        own: (300..300 + own).collect(),
        generated: (400..400 + generated).collect(),
    };
    let rows = vec![row(10, 40), row(61, 5), row(1, 1), row(61, 40), row(30, 2), row(10, 0)];
    let mut whole = Replay { shared: (500..600).collect(), rows };
    assert!(replay(&settings, &whole).unwrap() > Duration::ZERO);
    whole.rows.push(row(65, 1));
    let error = replay(&settings, &whole).unwrap_err().to_string();
    assert!(error.contains("65 tokens") && error.contains("a batch of 64 is too small"), "{error}");
}

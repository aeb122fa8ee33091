//! A declared metric is reported under its name, with its help, whether it moved or not.

copymill_service::metrics! {
    /// What these tests measure.
    pub struct TestMetrics("copymill_test") {
        /// Rows that ended,
        /// by outcome.
        rows_total: IntCounter["outcome" = ["generated", "rejected"]; "kind" = ["email", "sms"]],
        /// Slots in use.
        slots_busy: IntGauge,
        /// Time in the engine, in seconds.
        engine_seconds_total: Counter,
        /// Time per chunk, in seconds.
        chunk_seconds: Histogram(0.5, 2.0)["kind" = ["rows", "segments"]],
        /// Chunks that ended.
        chunks_total: ModelCounter,
    }
}

#[test]
fn idle_series_report_zero() {
    let text = TestMetrics::new().render();
    let samples = text.lines().filter(|line| line.starts_with("copymill_"));
    let (mut count, mut idle) = (0, 0);
    for sample in samples {
        count += 1;
        idle += usize::from(sample.ends_with(" 0"));
    }
    assert_eq!((count, idle), (16, 16), "{text}");
}

#[test]
fn the_doc_comment_is_the_help_and_the_prefix_leads_the_name() {
    let text = TestMetrics::new().render();
    assert!(text.contains("# HELP copymill_test_rows_total Rows that ended, by outcome.\n"), "{text}");
    assert!(text.contains("# TYPE copymill_test_rows_total counter\n"), "{text}");
    assert!(text.contains("# TYPE copymill_test_chunk_seconds histogram\n"), "{text}");
}

#[test]
fn what_moved_is_reported_by_label() {
    let metrics = TestMetrics::default();
    metrics.rows_total.of(["rejected", "sms"]).inc_by(3);
    metrics.slots_busy.set(7);
    metrics.engine_seconds_total.inc_by(1.5);
    metrics.chunk_seconds.of(["segments"]).observe(1.0);
    let text = metrics.clone().render();
    for line in [
        "copymill_test_rows_total{kind=\"email\",outcome=\"generated\"} 0",
        "copymill_test_rows_total{kind=\"sms\",outcome=\"rejected\"} 3",
        "copymill_test_slots_busy 7",
        "copymill_test_engine_seconds_total 1.5",
        "copymill_test_chunk_seconds_bucket{kind=\"segments\",le=\"0.5\"} 0",
        "copymill_test_chunk_seconds_bucket{kind=\"segments\",le=\"2\"} 1",
        "copymill_test_chunk_seconds_sum{kind=\"segments\"} 1",
    ] {
        assert!(text.lines().any(|reported| reported == line), "{line} in\n{text}");
    }
}

#[test]
fn a_model_is_counted_from_zero_for_as_long_as_it_is_named() {
    let metrics = TestMetrics::new();
    let counts = || -> Vec<String> {
        let text = metrics.render();
        let found = text.lines().filter_map(|line| line.strip_prefix("copymill_test_chunks_total"));
        found.map(str::to_owned).collect()
    };
    metrics.chunks_total.inc("large");
    assert!(counts().is_empty(), "nobody named it");
    metrics.chunks_total.name(["large", "small"]);
    metrics.chunks_total.inc("large");
    assert_eq!(counts(), ["{model=\"large\"} 1", "{model=\"small\"} 0"]);
    metrics.chunks_total.name(["large"]);
    assert_eq!(counts(), ["{model=\"large\"} 1"]);
    let names: Vec<String> = (0..100).map(|number| format!("model-{number:03}")).collect();
    metrics.chunks_total.name(names.iter().map(String::as_str));
    assert_eq!(counts().len(), 64, "more would be a mistake, and a burden for who scrapes them");
}

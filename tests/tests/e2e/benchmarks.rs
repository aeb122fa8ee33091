//! The commands of `docs/BENCHMARKS.md`, small: what they print is what the page shows.

use copymill_tests::{Workplace, repository};

use crate::campaigns::{EMAIL, recipients};

/// The names of the figures in a table of the page, which begins with a word.
fn figures(title: &str) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/BENCHMARKS.md")).expect("the page");
    let table = page.split("```").find(|block| block.trim_start().starts_with(title)).expect(title);
    let lines = table
        .trim()
        .lines()
        .skip(1)
        .map(|line| line.trim().split("  ").next().unwrap_or_default().to_owned());
    lines.filter(|name| !name.starts_with("smallest")).collect()
}

#[test]
fn the_benchmark_of_the_engine_runs_a_campaign_and_compares_it_with_a_bare_loop() {
    let place = Workplace::new(EMAIL, recipients(1));
    let table = place.copymill(&["bench", "engine", "--rows", "4", "--rounds", "1"]).success().stdout;
    assert!(table.starts_with("engine: 4 rows of 400 shared + "), "{table}");
    assert!(table.contains(" + 64 generated tokens"), "{table}");
    let shown = figures("engine:");
    assert!(shown.len() > 5, "{shown:?}");
    for name in shown {
        let line = table.lines().find(|line| line.trim().starts_with(&name)).expect(&name);
        let values = line.trim().strip_prefix(&name).unwrap().split_whitespace();
        assert!(values.map(|value| value.parse::<f64>().unwrap()).all(|value| value > 0.0), "{line}");
    }
}

#[test]
fn the_benchmark_of_the_pipeline_merges_every_recipient() {
    let place = Workplace::new(EMAIL, recipients(1));
    let table = place.copymill(&["bench", "pipeline", "--recipients", "2000"]).success().stdout;
    assert!(figures("pipeline:").iter().all(|name| table.contains(name)), "{table}");
    assert!(table.contains("messages                      2,000"), "{table}");
}

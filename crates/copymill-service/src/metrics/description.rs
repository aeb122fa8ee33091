//! What the documentation says about metrics.

use std::fmt::Write;

use super::by_model::{BUILD_LABELS, MODEL_LABELS};

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its full name.
    pub name: &'static str,
    /// The type that declares it.
    pub kind: &'static str,
    /// Its labels and their values.
    pub labels: Vec<(&'static str, Vec<String>)>,
    /// Upper bounds, of a histogram.
    pub buckets: Vec<f64>,
    /// What it counts.
    pub help: &'static str,
}

impl Description {
    /// Prometheus' word for its kind.
    fn word(&self) -> &'static str {
        match self.kind {
            "IntCounter" | "Counter" | "ModelCounter" => "counter",
            "Histogram" => "histogram",
            _ => "gauge",
        }
    }

    fn labels(&self) -> String {
        match self.kind {
            "ModelCounter" | "ModelGauge" => "model".to_owned(),
            "ModelInfo" => MODEL_LABELS.join(", "),
            "BuildInfo" => BUILD_LABELS.join(", "),
            _ => self.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>().join(", "),
        }
    }
}

/// A Markdown table of metrics, and below it the values of labels and the bounds of histograms.
pub fn table(metrics: &[Description]) -> String {
    let mut text = "| metric | kind | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for metric in metrics {
        let (name, word, labels, help) = (metric.name, metric.word(), metric.labels(), metric.help);
        writeln!(text, "| `{name}` | {word} | {labels} | {help} |").expect("text takes text");
    }
    text.push('\n');
    for metric in metrics {
        for (label, values) in &metric.labels {
            writeln!(text, "- `{}`, `{label}`: {}", metric.name, values.join(", ")).expect("text takes text");
        }
        if !metric.buckets.is_empty() {
            let bounds: Vec<String> = metric.buckets.iter().map(f64::to_string).collect();
            writeln!(text, "- `{}` up to {}", metric.name, bounds.join(", ")).expect("text takes text");
        }
    }
    text
}

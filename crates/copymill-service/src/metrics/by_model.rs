//! Series whose label values come to be known while a process runs: what models are called, and how one is made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{GaugeVec, IntCounterVec, IntGauge, Opts, core::Collector};

use super::{Declaration, Field, Registry};

/// Models of one process at most; more would be a mistake, and their series are left out.
const MODELS: usize = 64;

/// A gauge per model.
#[derive(Debug, Clone)]
pub struct ModelGauge(GaugeVec);

impl ModelGauge {
    /// Puts the values of these models in the place of all earlier ones.
    pub fn replace<'a>(&self, values: impl IntoIterator<Item = (&'a str, f64)>) {
        self.0.reset();
        values
            .into_iter()
            .take(MODELS)
            .for_each(|(model, value)| self.0.with_label_values(&[model]).set(value));
    }
}

impl Field for ModelGauge {
    fn register(registry: &Registry, declaration: &Declaration) -> Self {
        let options = Opts::new(declaration.name, declaration.help);
        let gauges = GaugeVec::new(options, &["model"]).expect("a Rust name is a metric's name");
        registry.register(Box::new(gauges.clone())).expect("the fields of one struct differ in name");
        Self(gauges)
    }
}

/// A counter per model, of those that were named last.
#[derive(Debug, Clone)]
pub struct ModelCounter {
    counters: IntCounterVec,
    named: Arc<Mutex<BTreeSet<String>>>,
}

impl ModelCounter {
    /// Names the models that are counted from now on. A series is there from then, at 0, so that a rate knows where it began;
    /// one of a model that is not named any more is gone.
    pub fn name<'a>(&self, models: impl IntoIterator<Item = &'a str>) {
        let models: BTreeSet<String> = models.into_iter().take(MODELS).map(str::to_owned).collect();
        let mut named = self.named();
        for gone in named.difference(&models) {
            drop(self.counters.remove_label_values(&[gone]));
        }
        for model in &models {
            self.counters.with_label_values(&[model]).inc_by(0);
        }
        *named = models;
    }

    /// Counts one more of a model, where it was named.
    pub fn inc(&self, model: &str) {
        if self.named().contains(model) {
            self.counters.with_label_values(&[model]).inc();
        }
    }

    fn named(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Field for ModelCounter {
    fn register(registry: &Registry, declaration: &Declaration) -> Self {
        let options = Opts::new(declaration.name, declaration.help);
        let counters = IntCounterVec::new(options, &["model"]).expect("a Rust name is a metric's name");
        registry.register(Box::new(counters.clone())).expect("the fields of one struct differ in name");
        Self { counters, named: Arc::default() }
    }
}

/// A series that is always 1 and says by its labels what something is.
#[derive(Debug, Clone)]
pub struct Info<const N: usize> {
    registry: Registry,
    name: &'static str,
    help: &'static str,
}

/// Says which model is loaded: its name, checksum, quantisation, architecture, size, context and device.
pub type ModelInfo = Info<{ MODEL_LABELS.len() }>;
/// Says which version a program has.
pub type BuildInfo = Info<{ BUILD_LABELS.len() }>;

/// Labels of `ModelInfo`.
pub(super) const MODEL_LABELS: [&str; 7] =
    ["model", "sha256", "quantisation", "architecture", "bytes", "context_tokens", "device"];
/// Labels of `BuildInfo`.
pub(super) const BUILD_LABELS: [&str; 1] = ["version"];

impl Info<7> {
    /// Says it: name, checksum, quantisation, architecture, size, context, device.
    pub fn say(&self, values: [&str; 7]) {
        self.register_series(MODEL_LABELS, values);
    }
}

impl Info<1> {
    /// Says it: the version.
    pub fn say(&self, values: [&str; 1]) {
        self.register_series(BUILD_LABELS, values);
    }
}

impl<const N: usize> Info<N> {
    fn register_series(&self, labels: [&str; N], values: [&str; N]) {
        let options = Opts::new(self.name, self.help);
        let pairs = labels.into_iter().zip(values);
        let options = pairs.fold(options, |options, (label, value)| options.const_label(label, value));
        let series = IntGauge::with_opts(options).expect("a Rust name is a metric's name");
        series.set(1);
        // The same again changes nothing.
        drop(self.registry.register(Box::new(series) as Box<dyn Collector>));
    }
}

impl<const N: usize> Field for Info<N> {
    fn register(registry: &Registry, declaration: &Declaration) -> Self {
        Self { registry: registry.clone(), name: declaration.name, help: declaration.help }
    }
}

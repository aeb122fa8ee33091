//! One struct declares what a process measures; its doc comments are the help texts.
//!
//! Every series exists from the start and reports 0 while idle, so that a rate or an alert never waits for a first
//! event. Label values are listed in the declaration, which bounds them; only what a model is called is known later.

mod by_model;
mod declare;
mod description;
mod family;

use std::{sync::Arc, time::Duration};

use prometheus::core::Collector;
pub use prometheus::{Counter, Gauge, Histogram, IntCounter, IntGauge, Registry};
use prometheus::{HistogramOpts, Opts, TextEncoder};

pub use by_model::{BuildInfo, ModelCounter, ModelGauge, ModelInfo};
pub use description::{Description, table};
pub use family::Family;

/// What `metrics!` says about one metric.
#[doc(hidden)]
#[derive(Debug)]
pub struct Declaration {
    pub name: &'static str,
    pub help: &'static str,
    /// Upper bounds, of a histogram.
    pub buckets: &'static [f64],
}

/// A kind of metric that `metrics!` can declare.
#[doc(hidden)]
pub trait Metric: Collector + Clone + 'static {
    fn create(options: Opts, buckets: &[f64]) -> prometheus::Result<Self>;
}

macro_rules! metric {
    ($($kind:ident)+) => {$(
        impl Metric for $kind {
            fn create(options: Opts, _: &[f64]) -> prometheus::Result<Self> {
                Self::with_opts(options)
            }
        }
    )+};
}

metric!(IntCounter IntGauge Counter Gauge);

impl Metric for Histogram {
    fn create(options: Opts, buckets: &[f64]) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts { common_opts: options, buckets: buckets.to_vec() })
    }
}

/// What a field of a declared struct is made from.
#[doc(hidden)]
pub trait Field {
    fn register(registry: &Registry, declaration: &Declaration) -> Self;
}

impl<M: Metric> Field for M {
    fn register(registry: &Registry, declaration: &Declaration) -> Self {
        let metric: M = create(declaration, &[]);
        registry.register(Box::new(M::clone(&metric))).expect("the fields of one struct differ in name");
        metric
    }
}

/// Is told the operation of a call, its result, and how long it took.
pub type CallObserver = Arc<dyn Fn(&'static str, &'static str, Duration) + Send + Sync>;

/// Counts calls by operation and result, and times them by operation.
pub fn observer(total: &Family<IntCounter>, seconds: &Family<Histogram>) -> CallObserver {
    let (total, seconds) = (total.clone(), seconds.clone());
    Arc::new(move |operation, result, took| {
        total.of([operation, result]).inc();
        seconds.of([operation]).observe(took.as_secs_f64());
    })
}

/// Moves a counter up to a total that is counted elsewhere; one that is behind stays.
pub fn raise(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

/// What the operating system says about this process, under the names that all exporters use.
#[doc(hidden)]
pub fn register_process(registry: &Registry) {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(process)).expect("a registry has one process");
}

/// Returns the text that Prometheus scrapes.
#[doc(hidden)]
pub fn render(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).expect("what was gathered has a name and a value")
}

fn create<M: Metric>(declaration: &Declaration, labels: &[(&str, &str)]) -> M {
    let options = Opts::new(declaration.name, declaration.help);
    let options = labels.iter().fold(options, |options, (label, value)| options.const_label(*label, *value));
    M::create(options, declaration.buckets).expect("a Rust name with a plain prefix is a metric's name")
}

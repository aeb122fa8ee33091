//! One struct declares what a process measures; its doc comments are the help texts.
//!
//! Every series exists from the start and reports 0 while idle, so that a rate or an alert never waits for a first
//! event. Label values are listed in the declaration, which bounds them.

mod family;

use prometheus::core::Collector;
pub use prometheus::{Counter, Gauge, Histogram, IntCounter, IntGauge, Registry};
use prometheus::{HistogramOpts, Opts, TextEncoder};

pub use family::Family;

/// Declares a struct of metrics with `new()` and `render()`.
///
/// ```
/// copymill_service::metrics! {
///     /// What a worker measures.
///     pub struct WorkerMetrics("copymill_worker") {
///         /// Rows that ended, by outcome.
///         rows_total: IntCounter["outcome" = "generated", "rejected"],
///         /// Sequences that the engine decodes at the moment.
///         slots_busy: IntGauge,
///         /// Time from taking a chunk to acknowledging it, in seconds.
///         chunk_seconds: Histogram(1.0, 10.0, 60.0),
///     }
/// }
///
/// let metrics = WorkerMetrics::new();
/// metrics.rows_total.of("generated").inc();
/// metrics.chunk_seconds.observe(12.5);
/// let text = metrics.render();
/// assert!(text.contains("copymill_worker_rows_total{outcome=\"generated\"} 1"));
/// assert!(text.contains("copymill_worker_rows_total{outcome=\"rejected\"} 0"));
/// assert!(text.contains("# HELP copymill_worker_slots_busy Sequences that the engine decodes at the moment."));
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident($prefix:literal) {
            $(
                $(#[doc = $help:literal])+
                $metric:ident: $kind:ident
                    $(( $($bucket:literal),+ $(,)? ))?
                    $([ $label:literal = $($value:literal),+ $(,)? ])?
            ),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone)]
        $visibility struct $name {
            $(
                $(#[doc = $help])+
                pub $metric: $crate::metrics!(@type $kind $([$label])?),
            )+
            registry: $crate::metrics::Registry,
        }

        impl $name {
            /// Registers every series.
            pub fn new() -> Self {
                let registry = $crate::metrics::Registry::new();
                Self {
                    $(
                        $metric: $crate::metrics!(@new $kind $([$label = $($value),+])?)(
                            &registry,
                            &$crate::metrics::Declaration {
                                name: concat!($prefix, "_", stringify!($metric)),
                                help: concat!($($help),+).trim_start(),
                                buckets: &[$($($bucket),+)?],
                            },
                        ),
                    )+
                    registry,
                }
            }

            /// Returns every series in Prometheus' text format.
            pub fn render(&self) -> String {
                $crate::metrics::render(&self.registry)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@type $kind:ident) => { $crate::metrics::$kind };
    (@type $kind:ident [$label:literal]) => { $crate::metrics::Family<$crate::metrics::$kind> };
    (@new $kind:ident) => { $crate::metrics::register::<$crate::metrics::$kind> };
    (@new $kind:ident [$label:literal = $($value:literal),+]) => {
        |registry, declaration| {
            $crate::metrics::Family::<$crate::metrics::$kind>::register(registry, declaration, $label, &[$($value),+])
        }
    };
}

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

/// Makes a metric without a label.
#[doc(hidden)]
pub fn register<M: Metric>(registry: &Registry, declaration: &Declaration) -> M {
    let metric = create(declaration, None);
    registry.register(Box::new(M::clone(&metric))).expect("the fields of one struct differ in name");
    metric
}

/// Returns the text that Prometheus scrapes.
#[doc(hidden)]
pub fn render(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).expect("what was gathered has a name and a value")
}

fn create<M: Metric>(declaration: &Declaration, label: Option<(&str, &str)>) -> M {
    let options = Opts::new(declaration.name, declaration.help);
    let options = match label {
        Some((label, value)) => options.const_label(label, value),
        None => options,
    };
    M::create(options, declaration.buckets).expect("a Rust name with a plain prefix is a metric's name")
}

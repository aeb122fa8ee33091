//! The macro that declares metrics.

/// Declares a struct of metrics with `new()`, `render()` and `described()`.
///
/// ```
/// copymill_service::metrics! {
///     /// What a worker measures.
///     pub struct WorkerMetrics("copymill_worker") {
///         /// Rows that ended, by outcome.
///         rows_total: IntCounter["outcome" = ["generated", "rejected"]],
///         /// Sequences that the engine decodes at the moment.
///         slots_busy: IntGauge,
///         /// Time from taking a chunk to acknowledging it, in seconds.
///         chunk_seconds: Histogram(1.0, 10.0, 60.0),
///         /// Messages that are left.
///         backlog: ModelGauge,
///         /// Chunks that ended.
///         chunks_total: ModelCounter,
///     }
/// }
///
/// let metrics = WorkerMetrics::new();
/// metrics.rows_total.of(["generated"]).inc();
/// metrics.chunk_seconds.observe(12.5);
/// metrics.backlog.replace([("demo", 3.0)]);
/// metrics.chunks_total.name(["demo"]);
/// metrics.chunks_total.inc("demo");
/// let text = metrics.render();
/// assert!(text.contains("copymill_worker_rows_total{outcome=\"generated\"} 1"));
/// assert!(text.contains("copymill_worker_rows_total{outcome=\"rejected\"} 0"));
/// assert!(text.contains("copymill_worker_backlog{model=\"demo\"} 3"));
/// assert!(text.contains("copymill_worker_chunks_total{model=\"demo\"} 1"));
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
                    $(( $($bucket:expr),+ $(,)? ))?
                    $([ $($label:literal = $values:expr);+ $(;)? ])?
            ),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone)]
        $visibility struct $name {
            $(
                $(#[doc = $help])+
                pub $metric: $crate::metrics!(@type $kind $([$($label)+])?),
            )+
            registry: $crate::metrics::Registry,
        }

        impl $name {
            /// Registers every series, those of the process among them.
            pub fn new() -> Self {
                let registry = $crate::metrics::Registry::new();
                $crate::metrics::register_process(&registry);
                Self {
                    $(
                        $metric: $crate::metrics!(@new $kind $([$($label = $values);+])?)(
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

            /// Says what there is, for the documentation.
            pub fn described() -> Vec<$crate::metrics::Description> {
                vec![$(
                    $crate::metrics::Description {
                        name: concat!($prefix, "_", stringify!($metric)),
                        kind: stringify!($kind),
                        labels: vec![$($(($label, $values.iter().map(|value| value.to_string()).collect())),+)?],
                        buckets: vec![$($($bucket),+)?],
                        help: concat!($($help),+).trim_start(),
                    },
                )+]
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@type $kind:ident) => { $crate::metrics::$kind };
    (@type $kind:ident [$($label:literal)+]) => { $crate::metrics::Family<$crate::metrics::$kind> };
    (@new $kind:ident) => { <$crate::metrics::$kind as $crate::metrics::Field>::register };
    (@new $kind:ident [$($label:literal = $values:expr);+]) => {
        |registry, declaration| {
            let labels = [$(($label, $values.to_vec())),+];
            $crate::metrics::Family::<$crate::metrics::$kind>::register(registry, declaration, &labels)
        }
    };
}

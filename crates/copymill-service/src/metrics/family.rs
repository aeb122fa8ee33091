//! A metric with one label, whose values are known when it is declared.

use super::{Declaration, Metric, Registry, create};

/// One series for each value of a label.
#[derive(Debug, Clone)]
pub struct Family<M> {
    series: Vec<(&'static str, M)>,
    /// Takes what is counted under a value that was not declared; nobody reads it.
    undeclared: M,
}

impl<M: Metric> Family<M> {
    /// Returns the series of a declared value.
    ///
    /// Another value is a mistake in the program: tests stop there, and in production it is not reported, because a
    /// metric must neither end a process nor grow without bound.
    pub fn of(&self, value: &str) -> &M {
        let found = self.series.iter().find(|(declared, _)| *declared == value);
        debug_assert!(found.is_some(), "the label value {value} was not declared");
        found.map_or(&self.undeclared, |(_, metric)| metric)
    }

    /// Makes and registers the series of every value.
    #[doc(hidden)]
    pub fn register(
        registry: &Registry,
        declaration: &Declaration,
        label: &'static str,
        values: &[&'static str],
    ) -> Self {
        let register = |value: &'static str| {
            let metric: M = create(declaration, Some((label, value)));
            registry.register(Box::new(metric.clone())).expect("the values of one label differ");
            (value, metric)
        };
        let series = values.iter().copied().map(register).collect();
        Self { series, undeclared: create(declaration, None) }
    }
}

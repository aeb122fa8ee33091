//! A metric with labels whose values are known when it is declared.

use super::{Declaration, Metric, Registry, create};

/// One series for each combination of label values.
#[derive(Debug, Clone)]
pub struct Family<M> {
    series: Vec<(Vec<&'static str>, M)>,
    /// Takes what is counted under a value that was not declared; nobody reads it.
    undeclared: M,
}

impl<M: Metric> Family<M> {
    /// Returns the series of declared values, in the order of the labels.
    ///
    /// Another value is a mistake in the program: tests stop there, and in production it is not reported, because a
    /// metric must neither end a process nor grow without bound.
    pub fn of<const N: usize>(&self, values: [&str; N]) -> &M {
        let found = self.series.iter().find(|(declared, _)| *declared == values);
        debug_assert!(found.is_some(), "the label values {values:?} were not declared");
        found.map_or(&self.undeclared, |(_, metric)| metric)
    }

    /// Makes and registers the series of every combination.
    #[doc(hidden)]
    pub fn register(
        registry: &Registry,
        declaration: &Declaration,
        labels: &[(&'static str, Vec<&'static str>)],
    ) -> Self {
        let register = |values: Vec<&'static str>| {
            let pairs: Vec<(&str, &str)> =
                labels.iter().zip(&values).map(|((label, _), value)| (*label, *value)).collect();
            let metric: M = create(declaration, &pairs);
            registry.register(Box::new(metric.clone())).expect("the values of one label differ");
            (values, metric)
        };
        let series = combinations(labels).into_iter().map(register).collect();
        Self { series, undeclared: create(declaration, &[]) }
    }
}

fn combinations(labels: &[(&'static str, Vec<&'static str>)]) -> Vec<Vec<&'static str>> {
    labels.iter().fold(vec![Vec::new()], |heads, (_, values)| {
        let longer = |head: &Vec<&'static str>| {
            let head = head.clone();
            values.iter().map(move |value| [head.as_slice(), &[*value]].concat())
        };
        heads.iter().flat_map(longer).collect()
    })
}

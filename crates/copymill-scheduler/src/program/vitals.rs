//! What the scheduler says about itself on its admin port, from its first moment on.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use copymill_broker::{Broker, ObservedBroker, RabbitBroker};
use copymill_service::{
    admin::{self, AdminSettings},
    metrics::observer,
};
use copymill_store::{ObservedStore, Store, answers};

use crate::metrics::SchedulerMetrics;

/// The leader's loop waits for one call of store or broker at a time, each of which ends long before this.
const LOOP_TURNS_WITHIN: Duration = Duration::from_secs(900);

/// What is known of a scheduler that starts; clones share it.
#[derive(Clone, Default)]
pub(super) struct Vitals(Arc<Known>);

#[derive(Default)]
struct Known {
    metrics: Arc<SchedulerMetrics>,
    store: OnceLock<Arc<dyn Store>>,
    broker: OnceLock<RabbitBroker>,
}

impl Vitals {
    /// Begins to tell, where the settings name an address.
    pub(super) async fn tell(settings: &AdminSettings, version: &str) -> anyhow::Result<Self> {
        let vitals = Self::default();
        vitals.0.metrics.series.build_info.say([version]);
        vitals.0.metrics.stand_by();
        admin::serve(settings, vitals.0.clone()).await?;
        Ok(vitals)
    }

    /// What the HTTP port answers with, too.
    pub(super) fn answers(&self) -> Arc<dyn admin::Vitals> {
        self.0.clone()
    }

    /// What is measured.
    pub(super) fn metrics(&self) -> Arc<SchedulerMetrics> {
        self.0.metrics.clone()
    }

    /// Notes that the store is there; its calls are counted from here on.
    pub(super) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let series = &self.0.metrics.series;
        let store: Arc<dyn Store> = Arc::new(ObservedStore::new(
            store,
            observer(&series.store_operations_total, &series.store_operation_seconds),
        ));
        drop(self.0.store.set(store.clone()));
        store
    }

    /// Notes that the broker is there; its calls are counted from here on.
    pub(super) fn broker(&self, broker: &RabbitBroker) -> Arc<dyn Broker> {
        let series = &self.0.metrics.series;
        drop(self.0.broker.set(broker.clone()));
        Arc::new(ObservedBroker::new(
            Arc::new(broker.clone()),
            observer(&series.broker_operations_total, &series.broker_operation_seconds),
        ))
    }
}

#[async_trait]
impl admin::Vitals for Known {
    fn stuck(&self) -> Option<String> {
        stands_still(self.metrics.since_turn()?)
    }

    async fn unready(&self) -> Option<String> {
        let Some(store) = self.store.get() else { return Some("the store is being probed".into()) };
        if !self.broker.get().is_some_and(|broker| broker.link_state().is_up) {
            return Some("there is no connection to the broker".into());
        }
        (!answers(store.as_ref()).await).then(|| "the store does not answer".into())
    }

    fn metrics(&self) -> String {
        let since_turn = self.metrics.since_turn().unwrap_or_default();
        self.metrics.series.leader_loop_seconds.set(since_turn.as_secs_f64());
        if let Some(broker) = self.broker.get() {
            self.metrics.link(broker.link_state());
        }
        self.metrics.series.render()
    }
}

/// What is wrong with a leader whose loop last turned so long ago.
fn stands_still(standing: Duration) -> Option<String> {
    (standing > LOOP_TURNS_WITHIN)
        .then(|| format!("the leader's loop has not turned for {} s", standing.as_secs()))
}

#[cfg(test)]
mod tests {
    use copymill_service::admin::Vitals;

    use super::*;

    #[test]
    fn only_a_leader_whose_loop_stands_still_is_stuck() {
        let known = Known::default();
        assert_eq!(known.stuck(), None, "who stands by has no loop");
        known.metrics.turn();
        assert_eq!(known.stuck(), None);
        assert_eq!(stands_still(LOOP_TURNS_WITHIN), None);
        let stuck = stands_still(LOOP_TURNS_WITHIN + Duration::from_secs(1));
        assert_eq!(stuck.as_deref(), Some("the leader's loop has not turned for 901 s"));
    }
}

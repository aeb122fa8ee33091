//! What the worker says about itself on its admin port, from its first moment on.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use copymill_broker::{Broker, ObservedBroker, RabbitBroker};
use copymill_engine::Engine;
use copymill_service::admin::{self, AdminSettings};
use copymill_store::{ObservedStore, Store};
use tokio::time::timeout;

use crate::{Progress, metrics};

/// The store answers within this, or it counts as one that does not.
const ANSWERS: Duration = Duration::from_secs(3);

/// What is known of a worker that starts; clones share it.
#[derive(Clone, Default)]
pub struct Vitals(Arc<Known>);

#[derive(Default)]
struct Known {
    progress: Arc<Progress>,
    engine: OnceLock<(Arc<dyn Engine>, Duration)>,
    store: OnceLock<Arc<dyn Store>>,
    broker: OnceLock<RabbitBroker>,
}

impl Vitals {
    /// Begins to tell, where the settings name an address.
    pub async fn tell(settings: &AdminSettings, version: &str) -> anyhow::Result<Self> {
        let vitals = Self::default();
        vitals.0.progress.metrics.build_info.say([version]);
        admin::serve(settings, vitals.0.clone()).await?;
        Ok(vitals)
    }

    /// What counts messages, for the worker's generator.
    pub fn progress(&self) -> Arc<Progress> {
        self.0.progress.clone()
    }

    /// Notes that the engine is there, and for how long it may make no progress.
    pub(super) fn engine(&self, engine: &Arc<dyn Engine>, patience: Duration) {
        drop(self.0.engine.set((engine.clone(), patience)));
    }

    /// Notes that the store is there; its calls are counted from here on.
    pub(super) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let counted = self.0.progress.clone();
        let store: Arc<dyn Store> = Arc::new(ObservedStore::new(
            store,
            Arc::new(move |operation, result, took| {
                counted.metrics.store_operations_total.of([operation, result]).inc();
                counted.metrics.store_operation_seconds.of([operation]).observe(took.as_secs_f64());
            }),
        ));
        drop(self.0.store.set(store.clone()));
        store
    }

    /// Notes that the broker is there; its calls are counted from here on.
    pub(super) fn broker(&self, broker: &RabbitBroker) -> Arc<dyn Broker> {
        let counted = self.0.progress.clone();
        drop(self.0.broker.set(broker.clone()));
        Arc::new(ObservedBroker::new(
            Arc::new(broker.clone()),
            Arc::new(move |operation, result, took| {
                counted.metrics.broker_operations_total.of([operation, result]).inc();
                counted.metrics.broker_operation_seconds.of([operation]).observe(took.as_secs_f64());
            }),
        ))
    }
}

#[async_trait]
impl admin::Vitals for Known {
    fn stuck(&self) -> Option<String> {
        let (engine, patience) = self.engine.get()?;
        let (stats, standing) = (engine.stats(), metrics::idle(&engine.stats()));
        if stats.is_stopped {
            return Some("the engine has stopped, because its device kept failing".into());
        }
        (standing > *patience)
            .then(|| format!("the engine made no progress for {} s although it has work", standing.as_secs()))
    }

    async fn unready(&self) -> Option<String> {
        if self.engine.get().is_none() {
            return Some("the model is being loaded".into());
        }
        let Some(store) = self.store.get() else { return Some("the store is being probed".into()) };
        if !self.broker.get().is_some_and(|broker| broker.link_state().is_up) {
            return Some("there is no connection to the broker".into());
        }
        // Any key will do, whether it is there or not.
        match timeout(ANSWERS, store.head("leader.json")).await {
            Ok(Ok(_)) => None,
            _ => Some("the store does not answer".into()),
        }
    }

    fn metrics(&self) -> String {
        if let Some((engine, _)) = self.engine.get() {
            self.progress.metrics.engine(&engine.stats());
        }
        if let Some(broker) = self.broker.get() {
            self.progress.metrics.link(broker.link_state());
        }
        self.progress.metrics.render()
    }
}

//! What the worker says about itself on its admin port, from its first moment on.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use copymill_broker::{Broker, ObservedBroker, RabbitBroker};
use copymill_engine::Engine;
use copymill_service::{
    admin::{self, AdminSettings},
    metrics::observer,
};
use copymill_store::{ObservedStore, Store, answers};

use crate::{Progress, metrics};

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
        let metrics = &self.0.progress.metrics;
        let store: Arc<dyn Store> = Arc::new(ObservedStore::new(
            store,
            observer(&metrics.store_operations_total, &metrics.store_operation_seconds),
        ));
        drop(self.0.store.set(store.clone()));
        store
    }

    /// Notes that the broker is there; its calls are counted from here on.
    pub(super) fn broker(&self, broker: &RabbitBroker) -> Arc<dyn Broker> {
        let metrics = &self.0.progress.metrics;
        drop(self.0.broker.set(broker.clone()));
        Arc::new(ObservedBroker::new(
            Arc::new(broker.clone()),
            observer(&metrics.broker_operations_total, &metrics.broker_operation_seconds),
        ))
    }
}

#[async_trait]
impl admin::Vitals for Known {
    fn stuck(&self) -> Option<String> {
        let (engine, patience) = self.engine.get()?;
        let standing = metrics::idle(&engine.stats());
        (standing > *patience)
            .then(|| format!("the engine made no progress for {} s although it has work", standing.as_secs()))
    }

    fn starting(&self) -> Option<String> {
        self.engine.get().is_none().then(|| "the model is being loaded".into())
    }

    async fn unready(&self) -> Option<String> {
        if let Some(waits) = self.starting() {
            return Some(waits);
        }
        let Some(store) = self.store.get() else { return Some("the store is being probed".into()) };
        if !self.broker.get().is_some_and(|broker| broker.link_state().is_up) {
            return Some("there is no connection to the broker".into());
        }
        (!answers(store.as_ref()).await).then(|| "the store does not answer".into())
    }

    fn metrics(&self) -> String {
        if let Some((engine, _)) = self.engine.get() {
            self.progress.metrics.engine(&engine.stats());
            self.progress.metrics.device_memory(engine.device_memory().unwrap_or_default());
        }
        if let Some(broker) = self.broker.get() {
            self.progress.metrics.link(broker.link_state());
        }
        self.progress.metrics.render()
    }
}

#[cfg(test)]
mod tests {
    use copymill_engine::{Request, ScriptedAnswer, ScriptedEngine};
    use copymill_service::admin::Vitals as _;

    use super::*;

    #[tokio::test]
    async fn an_engine_that_stands_still_with_work_is_what_a_restart_mends() {
        let never = |_: &Request, _| ScriptedAnswer::text("").after(Duration::MAX);
        let engine: Arc<dyn Engine> = Arc::new(ScriptedEngine::new(1, never));
        let vitals = Vitals::default();
        assert_eq!(vitals.0.stuck(), None, "a model that is being loaded is no reason");
        vitals.engine(&engine, Duration::from_millis(50));
        assert_eq!(vitals.0.stuck(), None, "it has no work");
        let request = Request { prompt: vec![1], seeds: vec![1], max_tokens: 1, ..Request::default() };
        let working = tokio::spawn({
            let engine = engine.clone();
            async move { engine.generate(request).await.map(drop) }
        });
        let stuck = loop {
            if let Some(stuck) = vitals.0.stuck() {
                break stuck;
            }
            tokio::task::yield_now().await;
        };
        assert!(stuck.starts_with("the engine made no progress for"), "{stuck}");
        working.abort();
    }
}

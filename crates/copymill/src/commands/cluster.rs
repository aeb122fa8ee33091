//! Commands that work on the campaigns of a cluster: what all of them share.

pub(crate) mod dead_letters;
pub(crate) mod list;
pub(crate) mod order;
pub(crate) mod results;
pub(crate) mod status;
pub(crate) mod submit;

use std::{path::PathBuf, sync::Arc};

use copymill_broker::{Broker, BrokerSettings, RabbitBroker};
use copymill_campaign::CampaignId;
use copymill_scheduler::{
    Places,
    office::{CampaignStatus, Office},
};
use copymill_service::settings;
use copymill_store::{Store, StoreSettings};
use serde::{Deserialize, Serialize};

use crate::{
    exit::{OrUserError, usage},
    settings::Settings,
};

/// Where the cluster is: the settings file and variables that its other programs read, too.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct ClusterSettings {
    store: StoreSettings,
    broker: BrokerSettings,
}

impl ClusterSettings {
    fn read() -> anyhow::Result<Self> {
        let file = std::env::var_os("COPYMILL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        settings::load(file.as_deref()).or_user_error()
    }
}

/// Where commands keep what they fetch, and how they reach the buckets that campaigns name: as the cluster does.
pub(crate) fn places(settings: &Settings) -> anyhow::Result<Places> {
    Ok(Places {
        cache: settings.cache.clone(),
        cache_bytes: settings.cache_bytes,
        scratch: std::env::temp_dir(),
        s3: ClusterSettings::read()?.store.s3,
    })
}

/// A cluster that was reached.
pub(crate) struct Cluster {
    settings: ClusterSettings,
    store: Arc<dyn Store>,
}

impl Cluster {
    /// Reads where it is, and opens its store.
    pub(crate) async fn reach() -> anyhow::Result<Self> {
        let settings = ClusterSettings::read()?;
        if settings.store.url.is_empty() {
            return Err(usage(
                "which cluster? Set COPYMILL_STORE__URL (s3://bucket/prefix) and COPYMILL_BROKER__URL \
                 (amqp://user:password@host/vhost), or name a settings file in COPYMILL_CONFIG",
            ));
        }
        let store = settings.store.open().await.or_user_error()?;
        Ok(Self { settings, store })
    }

    /// Whether the settings say where a cluster is.
    pub(crate) fn is_set() -> anyhow::Result<bool> {
        Ok(!ClusterSettings::read()?.store.url.is_empty())
    }

    /// Opens a place in a bucket, with the cluster's settings for S3.
    pub(crate) async fn bucket(url: &str) -> anyhow::Result<Arc<dyn Store>> {
        let mut settings = ClusterSettings::read()?.store;
        settings.url = url.to_owned();
        settings.open().await.or_user_error()
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Its broker.
    pub(crate) async fn broker(&self) -> anyhow::Result<RabbitBroker> {
        Ok(RabbitBroker::connect(&self.settings.broker).await?)
    }

    /// The office, without a broker: for those who look.
    pub(crate) fn looking(&self) -> Office {
        Office { store: self.store.clone(), broker: None }
    }

    /// The office, for those who order something.
    pub(crate) async fn ordering(&self) -> anyhow::Result<Office> {
        let broker: Arc<dyn Broker> = Arc::new(self.broker().await?);
        Ok(Office { store: self.store.clone(), broker: Some(broker) })
    }

    /// The campaign that a user means: by its id, or by its name, of which the latest counts.
    pub(crate) async fn campaign(&self, named: &str) -> anyhow::Result<CampaignId> {
        if let Ok(id) = named.parse() {
            return Ok(id);
        }
        let found = self
            .looking()
            .list()
            .await?
            .into_iter()
            .rev()
            .find(|status| status.accepted.file.campaign == named);
        match found {
            Some(CampaignStatus { accepted, .. }) => Ok(accepted.id),
            None => Err(usage(format!(
                "there is no campaign `{named}` in {}; `copymill list` names them",
                self.store.describe()
            ))),
        }
    }
}

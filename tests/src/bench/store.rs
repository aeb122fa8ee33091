//! Looking at the campaigns of a benchmark's cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use copymill_campaign::{CampaignId, CampaignKeys, CampaignState};
use copymill_store::{S3Settings, S3Store, Store};

use super::{count, note};
use crate::local_cluster::{Place, Started};

const SAY_EVERY: Duration = Duration::from_secs(10);

/// How the end of a campaign is waited for.
pub(super) struct Waiting {
    pub(super) every: Duration,
    /// Whether progress is said.
    pub(super) says: bool,
}

/// The cluster's store.
pub(super) async fn open(place: &Place, cluster: &Started) -> anyhow::Result<Arc<dyn Store>> {
    let settings = S3Settings {
        endpoint: Some(cluster.endpoint.clone()),
        path_style: true,
        region: Some("us-east-1".into()),
        credentials_file: Some(place.path("credentials")),
        ..S3Settings::default()
    };
    Ok(Arc::new(S3Store::open("copymill/campaigns", settings).await?))
}

/// The state of a campaign; none where nobody led it yet.
pub(super) async fn state(store: &dyn Store, id: &CampaignId) -> anyhow::Result<Option<CampaignState>> {
    let object = store.get(&CampaignKeys::of(id).state()).await?;
    Ok(object.map(|object| serde_json::from_slice(&object.body)).transpose()?)
}

/// Waits until a campaign has ended well.
pub(super) async fn wait(
    store: &dyn Store,
    id: &CampaignId,
    waiting: &Waiting,
) -> anyhow::Result<CampaignState> {
    let mut said = Instant::now();
    loop {
        tokio::time::sleep(waiting.every).await;
        let Some(state) = state(store, id).await? else { continue };
        if state.phase.as_str() == "completed" {
            return Ok(state);
        }
        let failure = state.failure.unwrap_or_default();
        ensure!(!state.phase.is_terminal(), "the campaign ended as {}: {failure}", state.phase.as_str());
        if waiting.says && said.elapsed() > SAY_EVERY {
            note(format_args!("{} messages", count(state.totals.outcomes.total())));
            said = Instant::now();
        }
    }
}

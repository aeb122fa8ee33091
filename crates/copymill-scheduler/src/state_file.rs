//! `state.json`: written by the leader alone, by compare-and-swap.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use copymill_campaign::{CampaignKeys, CampaignState};
use copymill_store::{Condition, Put, Store};

use crate::lease::{Lease, LeaseError};

/// Counters are stored no more often than this; changes of phase are stored at once.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The state of one campaign, in memory and in the store.
pub struct StateFile {
    store: Arc<dyn Store>,
    key: String,
    etag: Option<String>,
    written: Instant,
    counted_until: Instant,
    /// The state as it stands; [`StateFile::save`] stores it.
    pub state: CampaignState,
}

impl StateFile {
    /// Reads the state, or begins one.
    pub async fn open(store: Arc<dyn Store>, keys: &CampaignKeys) -> anyhow::Result<Self> {
        let key = keys.state();
        let (state, etag) = match store.get(&key).await? {
            Some(object) => {
                let state =
                    serde_json::from_slice(&object.body).with_context(|| format!("{key} is not readable"))?;
                (state, Some(object.etag))
            }
            None => (CampaignState::accepted(), None),
        };
        let now = Instant::now();
        Ok(Self { store, key, etag, written: now, counted_until: now, state })
    }

    /// Stores the state where the last write is long enough ago.
    pub async fn save_if_due(&mut self, lease: &Lease) -> anyhow::Result<()> {
        if self.written.elapsed() >= WRITE_EVERY { self.save(lease).await } else { Ok(()) }
    }

    /// Stores the state.
    pub async fn save(&mut self, lease: &Lease) -> anyhow::Result<()> {
        lease.check().await?;
        let now = Instant::now();
        self.state.active_s += (now - self.counted_until).as_secs_f64();
        self.counted_until = now;
        self.state.epoch = lease.epoch();
        self.state.writer = lease.holder().to_owned();
        self.state.revision += 1;
        let body = bytes::Bytes::from(serde_json::to_vec_pretty(&self.state)?);
        let condition = self.etag.clone().map_or(Condition::IfAbsent, Condition::IfMatch);
        match self.store.put(&self.key, body.clone(), condition).await? {
            Put::Stored(etag) => self.etag = Some(etag),
            // The answer to this very write may have been lost on the way.
            Put::Refused => match self.store.get(&self.key).await? {
                Some(found) if found.body == body => self.etag = Some(found.etag),
                _ => return Err(LeaseError::Overtaken { key: self.key.clone() }.into()),
            },
        }
        self.written = now;
        Ok(())
    }
}

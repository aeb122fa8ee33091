//! What people do with campaigns in a shared store, from any process: submit, look, order.
//!
//! The store is the truth, so nothing here needs the leader: it is only told, and finds what it was not told of.

mod idempotency;
mod results;
mod status;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use copymill_broker::{Broker, Message, Properties};
use copymill_campaign::{
    ACTIVE_PREFIX, Accepted, Action, BROADCAST_TOPIC, CONTROL_QUEUE, CampaignId, CampaignKeys, CampaignPhase,
    CampaignState, Manifest, Order,
};
use copymill_service::traces;
use copymill_store::{Condition, S3Object, Store};

use crate::intake::{Acceptance, Prepared, accept, load, user_error};
pub use results::OutputObject;
pub(crate) use results::output_lines;
pub use status::CampaignStatus;
pub(crate) use status::state_word;

/// The counter where campaigns are handed in and asked about.
#[derive(Clone)]
pub struct Office {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where the leader is told; without it, the leader finds new campaigns by itself, later, and takes no orders.
    pub broker: Option<Arc<dyn Broker>>,
}

/// Ids of campaigns that are marked as unfinished, the oldest first.
pub(crate) async fn active(store: &dyn Store) -> anyhow::Result<Vec<CampaignId>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(ACTIVE_PREFIX, after.as_deref()).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.key.clone());
        found.extend(page.iter().filter_map(|listed| listed.key.strip_prefix(ACTIVE_PREFIX)?.parse().ok()));
    }
}

/// What is said about a campaign when it is handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Makes handing it in twice harmless.
    pub idempotency_key: Option<String>,
    /// The campaign whose pilot was sent back: it is cancelled, and this one is in its place.
    pub replaces: Option<CampaignId>,
}

/// A campaign that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: CampaignId,
    /// Whether it was accepted now; false where the same idempotency key brought it before.
    pub is_new: bool,
}

impl Office {
    /// Accepts a campaign: its audience is copied into the store, so that nobody can change it afterwards.
    pub async fn submit(&self, prepared: &Prepared, submission: &Submission) -> anyhow::Result<Submitted> {
        let mut offered = prepared.accepted.clone();
        offered.parent = submission.replaces.clone();
        if offered.file.deadline.as_deref().is_some_and(has_passed) {
            return Err(user_error("the campaign's deadline has passed; give it another one, or none"));
        }
        let key = format!("audiences/{}", offered.source.sha256);
        self.store.upload(&key, prepared.source.file.path(), Condition::IfAbsent).await?;
        offered.source.key = Some(key);
        self.copy_list(prepared, &mut offered).await?;
        if let Some(key) = &submission.idempotency_key {
            match idempotency::claim(self.store.as_ref(), key, &offered).await? {
                idempotency::Claim::First => {}
                idempotency::Claim::Again(id) => offered.id = id,
                idempotency::Claim::Other(id) => {
                    return Err(user_error(format!(
                        "the idempotency key was used before, for another campaign ({id}); use another key, or submit \
                         that campaign unchanged"
                    )));
                }
            }
        }
        let id = offered.id.clone();
        let mark = format!("{ACTIVE_PREFIX}{id}");
        let keys = CampaignKeys::of(&id);
        let is_known = load(self.store.as_ref(), &keys).await?.is_some();
        if !is_known {
            self.store.put(&mark, bytes::Bytes::new(), Condition::Always).await?;
        }
        let is_new = matches!(accept(self.store.as_ref(), &keys, offered).await?, Acceptance::New(_));
        self.tell(&id, Action::Submitted).await?;
        if let Some(replaced) = &submission.replaces
            && !self.status(replaced).await?.state.phase.is_terminal()
        {
            self.tell(replaced, Action::Cancel).await?;
        }
        Ok(Submitted { id, is_new })
    }

    /// Copies a suppression list that is a file of the user's machine. One in a bucket stays where its owner changes it.
    async fn copy_list(&self, prepared: &Prepared, offered: &mut Accepted) -> anyhow::Result<()> {
        let (Some((_, list)), Some(pin)) = (&prepared.checked.suppression, &mut offered.suppression) else {
            return Ok(());
        };
        if !S3Object::is_address(&pin.location) {
            let key = format!("suppressions/{}", list.sha256());
            self.store.upload(&key, Path::new(&pin.location), Condition::IfAbsent).await?;
            pin.key = Some(key);
        }
        Ok(())
    }

    /// Orders something about a campaign that has not ended.
    pub async fn order(&self, id: &CampaignId, action: Action) -> anyhow::Result<()> {
        let phase = self.status(id).await?.state.phase;
        if phase.is_terminal() {
            return Err(user_error(format!("campaign {id} is {} already", phase.as_str())));
        }
        if action == Action::Approve && phase != CampaignPhase::AwaitingApproval {
            return Err(user_error(format!(
                "campaign {id} is {}; only one whose pilot is done (awaiting_approval) can be approved",
                phase.as_str()
            )));
        }
        anyhow::ensure!(self.broker.is_some(), "orders go over the broker, and none is set");
        self.tell(id, action).await
    }

    /// Asks for another try of what a completed campaign rejected; returns how many messages that are.
    pub async fn retry_rejected(&self, id: &CampaignId) -> anyhow::Result<u64> {
        let (keys, status) = (CampaignKeys::of(id), self.status(id).await?);
        if status.state.phase != CampaignPhase::Completed {
            let phase = status.state.phase.as_str();
            return Err(user_error(format!("campaign {id} is {phase}; wait until it is completed")));
        }
        let stored = self.store.get(&keys.manifest()).await?.context("the campaign has no manifest")?;
        let manifest: Manifest =
            serde_json::from_slice(&stored.body).context("the manifest is not readable")?;
        let rejected = manifest.totals.outcomes.rejected;
        if rejected == 0 {
            return Err(user_error(format!("nothing of campaign {id} was rejected")));
        }
        // The mark first: a leader that finds it without a request has nothing to do.
        self.store.put(&format!("{ACTIVE_PREFIX}{id}"), bytes::Bytes::new(), Condition::Always).await?;
        let request = serde_json::json!({ "v": 1, "requested_at": jiff::Timestamp::now() }).to_string();
        self.store.put(&keys.rework(manifest.generation + 1), request.into(), Condition::IfAbsent).await?;
        self.tell(id, Action::RetryRejected).await?;
        Ok(rejected)
    }

    /// How a campaign stands.
    pub async fn status(&self, id: &CampaignId) -> anyhow::Result<CampaignStatus> {
        let found = self.find(id).await?;
        found.ok_or_else(|| user_error(format!("there is no campaign {id} in {}", self.store.describe())))
    }

    /// How a campaign stands; none where there is no such campaign.
    pub async fn find(&self, id: &CampaignId) -> anyhow::Result<Option<CampaignStatus>> {
        match load(self.store.as_ref(), &CampaignKeys::of(id)).await? {
            Some(accepted) => Ok(Some(self.status_of(accepted).await?)),
            None => Ok(None),
        }
    }

    async fn status_of(&self, accepted: Accepted) -> anyhow::Result<CampaignStatus> {
        let key = CampaignKeys::of(&accepted.id).state();
        let state = match self.store.get(&key).await? {
            Some(object) => {
                serde_json::from_slice(&object.body).with_context(|| format!("{key} is not readable"))?
            }
            None => CampaignState::accepted(),
        };
        Ok(CampaignStatus { accepted, state })
    }

    /// Campaigns that have not ended, the oldest first.
    pub async fn unfinished(&self) -> anyhow::Result<Vec<CampaignStatus>> {
        let mut found = Vec::new();
        for id in active(self.store.as_ref()).await? {
            if let Some(accepted) = load(self.store.as_ref(), &CampaignKeys::of(&id)).await? {
                found.push(self.status_of(accepted).await?);
            }
        }
        Ok(found)
    }

    /// All campaigns, the oldest first.
    pub async fn list(&self) -> anyhow::Result<Vec<CampaignStatus>> {
        self.page(None, usize::MAX).await
    }

    /// At most `limit` campaigns of those after one, the oldest first.
    pub async fn page(
        &self,
        after: Option<&CampaignId>,
        limit: usize,
    ) -> anyhow::Result<Vec<CampaignStatus>> {
        // Over all objects of a campaign, which may be thousands, to the next one.
        let behind = |id: &CampaignId| format!("campaigns/{id}/\u{10ffff}");
        let mut found = Vec::new();
        let mut after: Option<String> = after.map(behind);
        loop {
            let page = self.store.list("campaigns/", after.as_deref()).await?;
            let Some(first) = page.first().filter(|_| found.len() < limit) else { return Ok(found) };
            let Some(id) = first.key.split('/').nth(1).and_then(|id| id.parse::<CampaignId>().ok()) else {
                after = Some(first.key.clone());
                continue;
            };
            after = Some(behind(&id));
            if let Some(accepted) = load(self.store.as_ref(), &CampaignKeys::of(&id)).await? {
                found.push(self.status_of(accepted).await?);
            }
        }
    }

    async fn tell(&self, id: &CampaignId, action: Action) -> anyhow::Result<()> {
        let Some(broker) = &self.broker else { return Ok(()) };
        let body = serde_json::to_vec(&Order { v: 1, campaign: id.clone(), action })?;
        let properties = Properties { trace: traces::current(), ..Properties::default() };
        broker.publish(CONTROL_QUEUE, Message { body: body.clone().into(), properties }).await?;
        if action == Action::Cancel {
            broker.broadcast(BROADCAST_TOPIC, body.into()).await?;
        }
        Ok(())
    }
}

/// Whether a deadline lies in the past.
pub(crate) fn has_passed(deadline: &str) -> bool {
    deadline.parse::<jiff::Timestamp>().is_ok_and(|deadline| deadline < jiff::Timestamp::now())
}

//! Holding a campaign until somebody has mended what it fails on and resumes it.

use anyhow::bail;
use copymill_broker::BrokerError;
use copymill_campaign::{Action, CampaignPhase};
use copymill_store::StoreError;
use copymill_suppression::{CampaignList, Lists};

use super::{Ended, Leader, Note, Notes, Signals, acknowledge};
use crate::{lease::LeaseError, state_file::StateFile};

/// What became of a campaign before it could be led.
pub enum Begun {
    /// Its suppression list, where it has one, could be read.
    With(Option<CampaignList>),
    /// It ended, or the process drains.
    Ended(Ended),
}

impl Leader {
    /// Reads the newest version of the campaign's suppression list. Without it nothing can be planned: the campaign is held
    /// until somebody resumes it and the list can be read.
    pub async fn begin(
        &self,
        lists: &Lists,
        notes: &mut Notes,
        signals: &mut Signals,
    ) -> anyhow::Result<Begun> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        while !state.state.phase.is_terminal() {
            match lists.of(&self.campaign).await {
                Ok(list) => return Ok(Begun::With(list)),
                Err(error) if passes(&error) => return Err(error),
                Err(_) if state.state.cancelling => {
                    self.end(&mut state, CampaignPhase::Cancelled).await?;
                    return Ok(Begun::Ended(Ended::Cancelled));
                }
                Err(error) => self.hold(&mut state, format!("{error:#}")).await?,
            }
            signals.progress.send_replace(state.state.clone());
            if !self.waited_for_orders(&mut state, notes, signals).await? {
                return Ok(Begun::Ended(Ended::Stopped));
            }
        }
        Ok(Begun::With(None))
    }

    /// Holds a campaign that workers or the leader cannot go on with, because something outside of it fails. It ends instead
    /// where nobody gives orders, and so does another try of what was rejected, which is asked for anew.
    pub(super) async fn hold(&self, state: &mut StateFile, why: String) -> anyhow::Result<()> {
        if !self.is_attended || state.state.reworking.is_some() {
            bail!(why);
        }
        if state.state.held.is_some() || state.state.cancelling {
            return Ok(());
        }
        tracing::error!(campaign.id = %self.campaign.id, error = why, "the campaign is held until it is resumed");
        state.state.paused = true;
        state.state.held = Some(why);
        state.save(&self.lease).await
    }

    /// Holds a campaign that cannot be led before somebody mends something, and then resumes it.
    pub async fn hold_for(&self, error: &anyhow::Error) -> anyhow::Result<()> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        self.hold(&mut state, format!("{error:#}")).await
    }

    /// Follows orders about a campaign that is held until it is resumed or cancelled; false where the process drains.
    async fn waited_for_orders(
        &self,
        state: &mut StateFile,
        notes: &mut Notes,
        signals: &mut Signals,
    ) -> anyhow::Result<bool> {
        while state.state.held.is_some() && !state.state.cancelling {
            let note = tokio::select! {
                _ = signals.draining.wait_for(|draining| *draining) => return Ok(false),
                note = notes.next() => note?,
            };
            match note {
                Note::Order(action, delivery) => {
                    match action {
                        Action::Resume => state.state.resume(),
                        Action::Cancel => state.state.cancelling = true,
                        Action::Approve => drop(self.approve(state)?),
                        Action::Submitted | Action::Pause | Action::RetryRejected => {}
                    }
                    state.save(&self.lease).await?;
                    acknowledge(delivery).await?;
                }
                // What workers did is found in the store.
                Note::Event(_, delivery) => acknowledge(delivery).await?,
                Note::Alive(_) | Note::Idle => {}
            }
        }
        Ok(true)
    }
}

/// Whether no other try succeeds before somebody mends the broker.
pub(crate) fn lasts(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<BrokerError>().is_some_and(|error| error.is_lasting))
}

/// Whether another try may succeed: what failed is outside of the campaign.
pub(crate) fn passes(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.is::<StoreError>() || cause.is::<BrokerError>() || cause.is::<LeaseError>())
}

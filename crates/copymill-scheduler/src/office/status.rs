//! How a campaign stands, for people and programs.

use copymill_campaign::{Accepted, CampaignState};
use serde_json::{Value, json};

/// A campaign and its state.
#[derive(Debug, Clone)]
pub struct CampaignStatus {
    /// The campaign as it was accepted.
    pub accepted: Accepted,
    /// Its state as the leader wrote it last.
    pub state: CampaignState,
}

impl CampaignStatus {
    /// Where it stands, in one word: its phase, or what holds it.
    pub fn word(&self) -> &'static str {
        state_word(&self.state)
    }

    /// (row, variant) pairs in all.
    pub fn messages(&self) -> u64 {
        self.accepted.source.records * u64::from(self.accepted.file.variants)
    }

    /// What programs read: one JSON object.
    pub fn summary(&self) -> Value {
        let (accepted, state) = (&self.accepted, &self.state);
        json!({
            "v": 1,
            "id": accepted.id,
            "campaign": accepted.file.campaign,
            "state": self.word(),
            "failure": state.failure,
            "held": state.held,
            "messages": self.messages(),
            "outcomes": state.totals.outcomes,
            "tokens": state.totals.tokens,
            "accepted_at": accepted.accepted_at,
            "active_s": state.active_s,
        })
    }

    /// (row, variant) pairs with an outcome.
    pub fn done(&self) -> u64 {
        self.state.totals.outcomes.total()
    }
}

/// Where a campaign in a state stands, in one word.
pub(crate) fn state_word(state: &CampaignState) -> &'static str {
    match state {
        state if state.reworking.is_some() => "retrying",
        state if state.phase.is_terminal() => state.phase.as_str(),
        state if state.cancelling => "cancelling",
        state if state.held.is_some() => "held",
        state if state.paused => "paused",
        state => state.phase.as_str(),
    }
}

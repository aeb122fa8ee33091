//! The states of a campaign, and which may follow which.

use serde::{Deserialize, Serialize};

use crate::{LaterFields, Totals, version};

/// Where a campaign stands: `accepted → planning → (pilot → awaiting_approval →) running → finishing → completed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignPhase {
    /// `campaign.json` is stored.
    Accepted,
    /// The audience is being cut into chunks; chunks that are cut are generated already.
    Planning,
    /// All chunks are cut; only those of the pilot are generated.
    Pilot,
    /// The pilot is done; the rest waits until somebody approves it.
    AwaitingApproval,
    /// All chunks are cut.
    Running,
    /// All chunks are done; manifest and `_SUCCESS` are being written.
    Finishing,
    /// `_SUCCESS` is written.
    Completed,
    /// Ended by a user; keeps what it has.
    Cancelled,
    /// Ended because it could not go on, such as by a source that changed.
    Failed,
}

impl CampaignPhase {
    /// Whether nothing follows any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }

    /// The word that files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Planning => "planning",
            Self::Pilot => "pilot",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Running => "running",
            Self::Finishing => "finishing",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// `state.json`: what a leader needs to go on, and what people follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CampaignState {
    /// Version of the format: 1.
    #[serde(deserialize_with = "version::of_object")]
    pub v: u32,
    /// Where the campaign stands.
    pub phase: CampaignPhase,
    /// Whether no further chunk is to begin.
    #[serde(default)]
    pub paused: bool,
    /// Why it waits for somebody to mend what its chunks failed on and to resume it; it is paused meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// How often it was resumed: who resumes one that is held again at once sees that the order was taken.
    #[serde(default)]
    pub resumes: u32,
    /// Whether it is being cancelled: workers drop what they have of it.
    #[serde(default)]
    pub cancelling: bool,
    /// Whether its pilot was approved.
    #[serde(default)]
    pub approved: bool,
    /// The generation that is being made of a completed campaign: its rejected messages are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reworking: Option<u32>,
    /// Why it failed; none otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Epoch of the lease under which this was written.
    pub epoch: u64,
    /// Who wrote it.
    pub writer: String,
    /// Grows with every write.
    pub revision: u64,
    /// Rows that planning has cut so far.
    pub rows_planned: u64,
    /// Chunks of messages cut so far.
    pub chunks_planned: u32,
    /// Chunks of segments; 0 where the campaign has none.
    pub segment_chunks: u32,
    /// Chunks of messages that are done.
    pub chunks_done: u32,
    /// Sums over chunks that are done.
    pub totals: Totals,
    /// Seconds that processes worked on it.
    pub active_s: f64,
    /// Fields that a later program wrote.
    #[serde(flatten)]
    pub later: LaterFields,
}

/// A transition that the state machine refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a campaign that is {from} cannot become {to}", from = from.as_str(), to = to.as_str())]
pub struct TransitionError {
    /// The state it is in.
    pub from: CampaignPhase,
    /// The state asked for.
    pub to: CampaignPhase,
}

impl CampaignState {
    /// The state of a campaign that was just accepted.
    pub fn accepted() -> Self {
        Self {
            v: 1,
            phase: CampaignPhase::Accepted,
            paused: false,
            held: None,
            resumes: 0,
            cancelling: false,
            approved: false,
            reworking: None,
            failure: None,
            epoch: 0,
            writer: String::new(),
            revision: 0,
            rows_planned: 0,
            chunks_planned: 0,
            segment_chunks: 0,
            chunks_done: 0,
            totals: Totals::default(),
            active_s: 0.0,
            later: LaterFields::new(),
        }
    }

    /// Whether nothing is being done about the campaign any more.
    pub fn is_over(&self) -> bool {
        self.phase.is_terminal() && self.reworking.is_none()
    }

    /// Goes on after a pause, or after what held it was mended.
    pub fn resume(&mut self) {
        (self.paused, self.held) = (false, None);
        self.resumes += 1;
    }

    /// Moves on to another state. Nothing holds what is over.
    pub fn advance(&mut self, to: CampaignPhase) -> Result<(), TransitionError> {
        use CampaignPhase::{
            Accepted, AwaitingApproval, Cancelled, Completed, Failed, Finishing, Pilot, Planning, Running,
        };
        let allowed = match (self.phase, to) {
            (from, to) if from == to => !from.is_terminal(),
            (Accepted, Planning) | (Planning, Running) | (Running, Finishing) | (Finishing, Completed) => {
                true
            }
            (Planning, Pilot) | (Pilot, AwaitingApproval) | (AwaitingApproval, Running) => true,
            (from, Cancelled | Failed) => !from.is_terminal(),
            _ => false,
        };
        if !allowed {
            return Err(TransitionError { from: self.phase, to });
        }
        self.phase = to;
        if to.is_terminal() {
            (self.paused, self.held) = (false, None);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_terminal_state_and_no_step_is_skipped() {
        use CampaignPhase::{
            Accepted, AwaitingApproval, Cancelled, Completed, Failed, Finishing, Pilot, Planning, Running,
        };
        let all =
            [Accepted, Planning, Pilot, AwaitingApproval, Running, Finishing, Completed, Cancelled, Failed];
        for from in all {
            for to in all {
                let mut state = CampaignState { phase: from, ..CampaignState::accepted() };
                let moved = state.advance(to).is_ok();
                assert_eq!(state.phase, if moved { to } else { from });
                assert!(!(from.is_terminal() && moved), "{from:?} → {to:?}");
            }
        }
        let mut state = CampaignState {
            paused: true,
            held: Some("the list cannot be read".into()),
            ..CampaignState::accepted()
        };
        assert!(state.advance(Running).is_err(), "planning must not be skipped");
        for to in [Planning, Pilot, AwaitingApproval, Running, Finishing, Completed] {
            if to == AwaitingApproval {
                assert!(state.advance(Running).is_err(), "nobody approved it");
            }
            assert!(state.paused && state.held.is_some());
            state.advance(to).unwrap();
        }
        assert!(!state.paused && state.held.is_none(), "nothing holds what is over");
    }
}

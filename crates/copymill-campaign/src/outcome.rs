//! How one (row, variant) ended, and why.

use serde::{Deserialize, Serialize};

/// How one (row, variant) ended. Every one of a completed campaign has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model's copy passed every check.
    Generated,
    /// No attempt passed; the campaign's own fallback was rendered instead.
    Fallback,
    /// No attempt passed and there is no fallback.
    Rejected,
    /// The recipient must not be written to.
    Suppressed,
    /// The row could not be used: its reasons say why.
    Invalid,
}

impl Outcome {
    /// All outcomes in the order that summaries show them.
    pub const ALL: [Outcome; 5] =
        [Outcome::Generated, Outcome::Fallback, Outcome::Rejected, Outcome::Suppressed, Outcome::Invalid];

    /// The word that files and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Generated => "generated",
            Outcome::Fallback => "fallback",
            Outcome::Rejected => "rejected",
            Outcome::Suppressed => "suppressed",
            Outcome::Invalid => "invalid",
        }
    }
}

/// One failed check, or what made a row unusable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable code such as `number_not_a_fact`; the list is in the documentation of checks.
    pub code: String,
    /// The field concerned, such as `body[1]`; none where the whole message is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One sentence for people. May quote generated text; never enters a log.
    pub message: String,
    /// The attempt that failed, counted from 1; 0 where no attempt was made.
    pub attempt: u32,
}

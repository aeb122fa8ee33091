//! Rows of an input chunk.

use serde::{Deserialize, Serialize};

use crate::Reason;

/// One recipient as planning wrote it into an input chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRow {
    /// Ordinal in the source, counted from 0: the row's identity.
    pub row: u64,
    /// The value of the id column: a label for people. None where the row has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    /// Values in the order of the chunk header's columns; empty for an invalid row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What planning decided about the row.
    #[serde(default, skip_serializing_if = "RowStatus::is_ready")]
    pub status: RowStatus,
}

/// What planning decided about a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowStatus {
    /// The row is generated.
    #[default]
    Ready,
    /// The row cannot be used.
    Invalid(Reason),
    /// The recipient must not be written to.
    Suppressed(Reason),
}

impl RowStatus {
    /// Whether the row is generated.
    pub fn is_ready(&self) -> bool {
        matches!(self, RowStatus::Ready)
    }
}

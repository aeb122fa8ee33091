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

/// Codes of reasons that are no check of the copy, and what each means: why a row is `invalid`, or why no message could
/// be made.
pub const ROW_CODES: &[(&str, &str)] = &[
    ("missing_id", "The row has no id."),
    ("duplicate_id", "An earlier row has the same id; the first one is written to."),
    ("too_few_columns", "The row has fewer columns than the header."),
    ("too_many_columns", "The row has more columns than the header."),
    ("invalid_encoding", "The row has bytes that are no text in the file's encoding."),
    ("null_byte", "The row holds a null byte."),
    ("field_too_large", "A field of the row has more bytes than are read."),
    ("record_too_large", "The row has more bytes than are read, perhaps because a quote is not closed."),
    ("unclosed_quote", "A quote is opened and never closed."),
    ("malformed_quote", "A quote stands where none may stand."),
    ("malformed_json", "The line is no JSON object."),
    ("unknown_key", "The line has a key that the first line does not have."),
    ("duplicate_key", "The line has the same key twice."),
    ("nested_value", "A value of the line is an object or a list."),
    ("bad_key", "The row has a key that cannot be the name of a column."),
    ("value_out_of_range", "A number or a time of the row is larger than any that can be written out."),
    (
        "on_suppression_list",
        "The recipient is on the campaign's suppression list and must not be written to.",
    ),
    ("read_failed", "The file could not be read to its end."),
    ("unsafe_prompt", "The row's values could not be put into a prompt safely."),
    ("prompt_failed", "The campaign's own prompt template fails on this row's values."),
    ("prompt_too_long", "The prompt with this row's values does not fit into the model's context."),
    ("engine_failed", "The engine could not finish this message."),
    ("segment_rejected", "No copy of the row's segment passed its checks; the segment's line says why."),
    ("segment_missing", "There is no copy of the row's segment."),
    ("kills_workers", "Every worker that began with the row ended before it was done."),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_says_what_each_code_means() {
        let documentation = include_str!("../../../docs/CHECKS.md");
        for (code, meaning) in super::ROW_CODES {
            assert!(documentation.contains(&format!("| `{code}` | {meaning} |")), "{code}: {meaning}");
        }
    }
}

//! Lines of output chunks. Keys are stable; more may be added.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{CampaignId, Outcome, Reason};

/// One line of `output/`: how one (row, variant) ended. Content and rendering are kept as the JSON text that they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputLine {
    /// Version of the format: 1.
    pub v: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// The row's ordinal in the source.
    pub row: u64,
    /// The row's label.
    pub recipient_id: Option<String>,
    /// The variant, counted from 0.
    pub variant: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What the model wrote, merge fields included: an object of the kind's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<RawValue>>,
    /// What the recipient gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<Box<RawValue>>,
    /// Every failed check of every attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The attempt that was taken, or the last one; 0 where none was made.
    pub attempt: u32,
    /// The sampling seed of that attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Why generation of that attempt ended: `stop`, `length` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Tokens over all attempts.
    #[serde(default)]
    pub tokens: TokenUse,
    /// Which model wrote it: the checksum of its file, or of file and adapter, as in `campaign.json`.
    pub model_sha256: String,
    /// SHA-256 of the little-endian token ids of the taken attempt's prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_sha256: Option<String>,
    /// The version of the suppression list that the recipient was looked up in last: the first 16 digits of its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<String>,
    /// Key of the segment whose copy was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// When the copy was generated, RFC 3339 in UTC.
    pub generated_at: String,
}

/// What the recipient gets: one text per rendered part, such as `subject`, `html` and `text`.
pub type Rendered = serde_json::Map<String, serde_json::Value>;

/// One line of `segments/output/`: the copy of one (segment, variant), or why there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentLine {
    /// Version of the format: 1.
    pub v: u32,
    /// The segment's key: its values joined with `|`, with `\` before a `|` or `\` inside a value.
    pub segment: String,
    /// The variant, counted from 0.
    pub variant: u32,
    /// `generated`, `fallback` or `rejected`.
    pub outcome: Outcome,
    /// The copy: an object of the kind's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<RawValue>>,
    /// Every failed check of every attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The attempt that was taken, or the last one.
    pub attempt: u32,
    /// Its sampling seed.
    pub seed: u32,
    /// Why its generation ended.
    pub finish_reason: String,
    /// Tokens over all attempts.
    pub tokens: TokenUse,
    /// SHA-256 of its prompt's token ids.
    pub prompt_sha256: String,
    /// When it was generated, RFC 3339 in UTC.
    pub generated_at: String,
}

/// Tokens that a message or a campaign took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUse {
    /// Prompt tokens, reused ones included.
    pub prompt: u64,
    /// Prompt tokens whose KV cells were shared instead of computed.
    pub reused: u64,
    /// Tokens of the answer, forced ones included.
    pub generated: u64,
    /// Tokens that the schema left no choice about.
    pub forced: u64,
}

impl std::ops::SubAssign for TokenUse {
    fn sub_assign(&mut self, other: Self) {
        self.prompt = self.prompt.saturating_sub(other.prompt);
        self.reused = self.reused.saturating_sub(other.reused);
        self.generated = self.generated.saturating_sub(other.generated);
        self.forced = self.forced.saturating_sub(other.forced);
    }
}

impl std::ops::AddAssign for TokenUse {
    fn add_assign(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.reused += other.reused;
        self.generated += other.generated;
        self.forced += other.forced;
    }
}

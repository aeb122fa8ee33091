//! The campaign file as users write it, and the accepted campaign as the store keeps it.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CampaignId, version};

/// Alternatives of one message at most.
pub const VARIANTS_MAX: u32 = 16;

/// A campaign: what to write, to whom, with which model and under which checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// Name of the campaign: lower-case letters, digits and dashes.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"), example = &"spring-sale")]
    pub campaign: String,
    /// What is written: a built-in kind such as `email`, or the name of a file in `kinds/` beside the campaign file.
    #[schemars(length(min = 1), example = &"email")]
    pub kind: String,
    /// Language of the copy, a BCP 47 tag such as `en` or `pt-BR`.
    #[serde(default = "default_language")]
    #[schemars(regex(pattern = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"), example = &"pt-BR")]
    pub language: String,
    /// The model: `demo` (bundled), a path to a GGUF file, `s3://bucket/key.gguf`, or `hf://owner/repo/file.gguf`.
    #[schemars(length(min = 1), example = &"demo")]
    pub model: String,
    /// SHA-256 that the model file must have, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub model_sha256: Option<String>,
    /// A LoRA adapter for the model, named as the model is. Workers of a cluster are started with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"our-voice.gguf")]
    pub adapter: Option<String>,
    /// SHA-256 that the adapter file must have, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub adapter_sha256: Option<String>,
    /// The recipients.
    pub audience: Audience,
    /// Who must not be written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// Alternatives written per recipient or segment.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = VARIANTS_MAX))]
    pub variants: u32,
    /// What the copy is about; every value is shown to the model.
    pub brief: Brief,
    /// Facts: the model places them by name (`[[price]]`) and can never spell them.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$" }))]
    pub facts: IndexMap<String, String>,
    /// A prompt template that replaces the kind's own; a path relative to the campaign file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"prompt.j2")]
    pub prompt: Option<String>,
    /// Checks beside the built-in ones.
    #[serde(default)]
    pub checks: Checks,
    /// How tokens are chosen.
    #[serde(default)]
    pub sampling: Sampling,
    /// Attempts per message until it passes every check; counts the first.
    #[serde(default = "default_attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// Fields of a message that is rendered where no attempt passed: texts, or lists of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<IndexMap<String, FieldValue>>,
    /// Share of the workers in a cluster, relative to other campaigns of the same model.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub weight: u32,
    /// Rows of a pilot on a cluster: the first ones, generated and shown before the rest is released by
    /// `copymill approve`. What the pilot wrote is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub pilot: Option<u64>,
    /// When all messages should be there, RFC 3339: on a cluster, a campaign that would be late gets more than its
    /// share of the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"2026-12-01T06:00:00Z")]
    pub deadline: Option<String>,
    /// Folder for the output, relative to the campaign file.
    #[serde(default = "default_output")]
    #[schemars(length(min = 1))]
    pub output: String,
}

impl CampaignFile {
    /// What writes, for people: the model, and the adapter on it.
    pub fn models(&self) -> String {
        match &self.adapter {
            Some(adapter) => format!("{} with the adapter {adapter}", self.model),
            None => self.model.clone(),
        }
    }
}

/// Where recipients come from and what may be seen of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// A CSV, JSONL or Parquet file: a path relative to the campaign file, or `s3://bucket/key`. CSV and JSONL may be packed
    /// with gzip or zstd.
    #[schemars(length(min = 1), example = &"recipients.csv")]
    pub source: String,
    /// Column with the recipient's id: a label for people. Of rows with equal ids the first is written to.
    #[schemars(length(min = 1))]
    pub id: String,
    /// Column with the address that the message will go to. It never enters a prompt and is never a merge field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"email")]
    pub email: Option<String>,
    /// Columns that the prompt shows to the model.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Columns that copy may only place as `[[name]]`; without it, every column not in `fields`, id excepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Vec<String>>,
    /// What stands for an empty value of a merge field.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub defaults: IndexMap<String, String>,
    /// Columns that make a segment: the prompt then sees only these, and copy is generated once per segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segment_by: Vec<String>,
    /// Separator of a CSV file; without it, detected from the first lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// Encoding such as `utf-8` or `windows-1252`; without it, detected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"windows-1252")]
    pub encoding: Option<String>,
}

/// Who must not be written to: applied when the audience is planned, and again before each message is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The list: a path relative to the campaign file, or `s3://bucket/key`. One entry per line, plain or packed with gzip
    /// or zstd; blank lines and lines that begin with `#` do not count.
    #[schemars(length(min = 1), example = &"unsubscribed.txt")]
    pub list: String,
    /// What its entries are.
    pub by: SuppressedBy,
}

/// What the entries of a suppression list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressedBy {
    /// Values of the column `audience.id`.
    Ids,
    /// SHA-256 of the trimmed, lower-cased address in the column `audience.email`, as 64 hexadecimal digits.
    Emails,
}

impl SuppressedBy {
    /// The word that campaign files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ids => "ids",
            Self::Emails => "emails",
        }
    }
}

impl CampaignFile {
    /// The column whose values the suppression list is about; none where there is no list.
    pub fn suppressed_column(&self) -> Option<&str> {
        match self.suppression.as_ref()?.by {
            SuppressedBy::Ids => Some(&self.audience.id),
            SuppressedBy::Emails => self.audience.email.as_deref(),
        }
    }
}

/// Separator of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tabulator.
    Tab,
    /// `|`
    Pipe,
}

/// What the copy is about. Any further key with a text value is shown to the model too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// The brand; copy places it as `[[brand]]`.
    #[schemars(length(min = 1))]
    pub brand: String,
    /// Colours of rendered e-mails; not shown to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colors: Option<Colors>,
    /// Everything else: voice, goal, audience …
    #[serde(flatten)]
    pub more: IndexMap<String, String>,
}

/// Colours as `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Colors {
    /// Colour of buttons and of the brand's name, as `#rrggbb`.
    #[schemars(regex(pattern = r"^#[0-9a-fA-F]{6}$"), example = &"#0b6e4f")]
    pub primary: String,
    /// Colour behind the message, as `#rrggbb`.
    #[serde(default = "default_background")]
    #[schemars(regex(pattern = r"^#[0-9a-fA-F]{6}$"), example = &"#f4f4f1")]
    pub background: String,
}

/// A field's value: one text or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldValue {
    /// One text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// Checks beside the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Phrases that no message may hold: whole words; case and accents do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub banned: Vec<String>,
    /// Facts or merge fields (or `brand`) that every rendered message must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_use: Vec<String>,
}

/// How tokens are chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// 0 takes the likeliest token always; higher is more varied.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f32,
    /// Keeps the k likeliest tokens; 0 keeps all.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub top_k: u32,
    /// Keeps the likeliest tokens that together reach this probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f32,
    /// Drops tokens that are less likely than this share of the likeliest.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f32,
    /// Divides the score of tokens that were written already; 1 does nothing.
    #[schemars(range(min = 1.0, max = 2.0))]
    pub repetition_penalty: f32,
    /// The seed of the campaign: the same campaign, model and seed give the same sampling seeds.
    #[schemars(range(min = 0, max = 18_446_744_073_709_551_615_u64))]
    pub seed: u64,
    /// Tokens of one answer at most.
    #[schemars(range(min = 1, max = 32768))]
    pub max_tokens: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            max_tokens: 512,
        }
    }
}

/// `campaign.json`: the campaign as it was accepted. Immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// Version of the format: 1.
    #[serde(deserialize_with = "version::of_object")]
    pub v: u32,
    /// The campaign's id.
    pub id: CampaignId,
    /// When it was accepted, RFC 3339 in UTC.
    pub accepted_at: String,
    /// The campaign file, defaults filled in.
    pub file: CampaignFile,
    /// The kind's definition, whole.
    pub kind: serde_json::Value,
    /// The prompt template's text, where the campaign has its own.
    pub prompt: Option<String>,
    /// The audience as it was.
    pub source: SourcePin,
    /// Where its suppression list is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<SuppressionPin>,
    /// The audience's columns in order.
    pub columns: Vec<String>,
    /// Whether copy is generated once per segment: false where `segment_by` is empty or gives too many segments.
    #[serde(default)]
    pub segmented: bool,
    /// The model as it was.
    pub model: ModelPin,
    /// The campaign that it was submitted in place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CampaignId>,
}

/// What a source must still be when planning goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePin {
    /// Where it is: an absolute path, or `s3://bucket/key`.
    pub location: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Records in it, unusable ones included.
    #[serde(default)]
    pub records: u64,
    /// The object that holds a copy of it, in a store that others share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where a suppression list is. Its newest version counts, so that nothing of its content is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionPin {
    /// An absolute path, or `s3://bucket/key`.
    pub location: String,
    /// The object that holds a copy of a local list, in a store that others share; it ends with the copy's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A model file, with the adapter on it where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPin {
    /// What the campaign calls it: `MODEL`, or `MODEL+ADAPTER`.
    pub name: String,
    /// SHA-256 of the file; with an adapter, SHA-256 of the text `MODEL+ADAPTER` of both files' checksums.
    pub sha256: String,
}

fn default_language() -> String {
    "en".into()
}

fn one() -> u32 {
    1
}

fn default_attempts() -> u32 {
    3
}

fn default_output() -> String {
    "out/".into()
}

fn default_background() -> String {
    "#f4f4f1".into()
}

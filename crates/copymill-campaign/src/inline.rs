//! Inline jobs: any AMQP producer publishes a campaign's words with the rows in the message, and gets the messages back.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{CampaignId, OutcomeCounts, inline_campaign_schema, sha256_hex};

/// Rows of one inline job at most: as many as the longest chunk has. One worker holds the job, and loses what it did of
/// it when it dies; more rows are a campaign.
pub const INLINE_ROWS_MAX: usize = 500;
/// Bytes of one inline job at most: as many as a chunk's values have. RabbitMQ 4 takes messages of 16 MiB.
pub const INLINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of output lines that an answer carries at most; where there are more, it names their object only. Brokers are
/// made for small messages, and an answer lies in memory where it is written, queued and read.
pub const INLINE_ANSWER_BYTES_MAX: usize = 1 << 20;
/// What queues of Copymill itself begin with: no answer goes there, or a producer could give orders.
pub const OWN_QUEUES_PREFIX: &str = "copymill.";

/// A job with its rows, as the body of an AMQP message: JSON, published to the queue of a model's jobs with a `message_id`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct InlineJob {
    /// Version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub v: u32,
    /// What to write: the keys of a campaign file that say so. The model is the queue's; kinds are built-in ones.
    #[schemars(schema_with = "campaign_schema")]
    pub campaign: Map<String, Value>,
    /// The recipients: objects with text, numbers, true, false or null as values. Their keys are the audience's columns.
    #[schemars(schema_with = "rows_schema")]
    pub rows: Vec<Box<RawValue>>,
}

/// First line of an inline job's object; output lines follow, as a campaign has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineHeader {
    /// Version of the format: 1.
    pub v: u32,
    /// What the producer calls the job.
    pub message_id: String,
    /// SHA-256 of the message's body: the same id with another body is another job, and an error.
    pub body_sha256: String,
    /// Rows of the job.
    pub rows: u64,
    /// Variants of each.
    pub variants: u32,
}

/// What a producer is answered.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum InlineAnswer {
    /// Every row has its outcomes, and they are stored.
    Done {
        /// Version of the format: 1.
        v: u32,
        /// What the producer calls the job.
        message_id: String,
        /// Key of the object with the output lines.
        key: String,
        /// SHA-256 of the object.
        sha256: String,
        /// Lines by outcome.
        outcomes: OutcomeCounts,
        /// The output lines in the order of rows and variants; not there where they are larger than
        /// [`INLINE_ANSWER_BYTES_MAX`].
        #[serde(skip_serializing_if = "Option::is_none")]
        lines: Option<Vec<Box<RawValue>>>,
    },
    /// Nothing was or will be done.
    Refused {
        /// Version of the format: 1.
        v: u32,
        /// What the producer calls the job; none where the message has no id.
        message_id: Option<String>,
        /// Why, in one sentence.
        reason: String,
        /// What is wrong with the campaign, all of it; empty where the reason is another.
        problems: Vec<InlineProblem>,
    },
}

/// One thing that is wrong with the campaign of an inline job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InlineProblem {
    /// The key in the job, such as `campaign.audience.fields[1]`.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl InlineJob {
    /// Reads a message's body. The error says what is wrong and repeats nothing of the content.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        if body.len() > INLINE_BYTES_MAX {
            return Err(format!(
                "it has {} bytes; an inline job has {INLINE_BYTES_MAX} at most, more rows are a campaign",
                body.len()
            ));
        }
        let job: Self = serde_json::from_slice(body).map_err(|error| explain(&error))?;
        if job.v != 1 {
            return Err(format!("its version `v` is {}; this program reads 1", job.v));
        }
        match job.rows.len() {
            0 => Err("it has no rows".into()),
            rows if rows > INLINE_ROWS_MAX => Err(format!(
                "it has {rows} rows; an inline job has {INLINE_ROWS_MAX} at most, more are a campaign"
            )),
            _ => Ok(job),
        }
    }
}

impl CampaignId {
    /// The id that the output lines of an inline job carry: the first 16 bytes of a SHA-256 of its message id.
    pub fn of_message(message_id: &str) -> Self {
        let digest = Sha256::digest(message_id.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self::new(ulid::Ulid::from_bytes(first))
    }
}

/// Where an inline job's result is.
pub fn inline_key(message_id: &str) -> String {
    format!("inline/default/{}.jsonl.zst", sha256_hex(message_id.as_bytes()))
}

/// What the notes about an inline job start with that may have killed workers.
pub fn inline_attempts_prefix(message_id: &str) -> String {
    format!("inline/default/attempts/{}/", sha256_hex(message_id.as_bytes()))
}

/// The library's own words quote the value that they are about, which may be a recipient's.
fn explain(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let words = error.to_string();
    match words.split(" at line").next().filter(|words| words.starts_with("missing field")) {
        Some(missing) => missing.replace("missing field", "it lacks the key"),
        None if error.is_data() => {
            format!("the value that ends at {place} is of another type than the format asks for")
        }
        None => format!("it is not JSON ({place})"),
    }
}

fn campaign_schema(_: &mut SchemaGenerator) -> Schema {
    inline_campaign_schema().try_into().expect("a part of a schema is a schema")
}

fn rows_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": INLINE_ROWS_MAX,
        "items": {
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_job_is_explained_without_its_content() {
        let reason = |body: &str| InlineJob::parse(body.as_bytes()).unwrap_err();
        assert_eq!(reason("{"), "it is not JSON (line 1, column 1)");
        assert_eq!(reason(r#"{"v":1,"campaign":{}}"#), "it lacks the key `rows`");
        assert_eq!(reason(r#"{"v":1,"campaign":{},"rows":[]}"#), "it has no rows");
        assert!(reason(r#"{"v":2,"campaign":{},"rows":[{}]}"#).contains("is 2"));
        let typed = reason(r#"{"v":"Ada Lovelace","campaign":{},"rows":[{}]}"#);
        assert!(typed.contains("another type") && !typed.contains("Ada"), "{typed}");
        let rows = vec!["{}"; INLINE_ROWS_MAX + 1].join(",");
        assert!(reason(&format!(r#"{{"v":1,"campaign":{{}},"rows":[{rows}]}}"#)).contains("501 rows"));
        assert!(reason(&" ".repeat(INLINE_BYTES_MAX + 1)).contains("4194305 bytes"));
    }

    #[test]
    fn keys_and_ids_of_a_message_stay_the_same_between_releases() {
        assert_eq!(
            inline_key("order-1"),
            "inline/default/0bafe22156d2698c143b86040446d366ead863ba600d5c924f3d15c786ef4057.jsonl.zst"
        );
        assert_eq!(CampaignId::of_message("order-1").as_str().len(), 26);
    }
}

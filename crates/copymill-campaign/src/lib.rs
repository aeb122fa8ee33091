//! The vocabulary of a campaign: what users write, and what scheduler, worker and store tell each other.
//!
//! No IO, no async and no clock: time and bytes come from the caller.

mod audience;
mod chunk;
mod control;
mod file;
mod id;
mod inline;
mod keys;
mod line;
mod lines;
mod manifest;
mod message;
mod outcome;
mod row;
mod seed;
mod split;
mod state;
mod user_error;
mod validate;
mod version;

pub use audience::is_merge_name;
pub use chunk::{ChunkHeader, ChunkId, ChunkKind};
pub use control::{Action, BROADCAST_TOPIC, CONTROL_QUEUE, HEARTBEATS_TOPIC, Heartbeat, HeldChunk, Order};
pub use file::{
    Accepted, Audience, Brief, CampaignFile, Checks, Colors, FieldValue, ModelPin, Sampling, Separator,
    SourcePin, SuppressedBy, Suppression, SuppressionPin, VARIANTS_MAX,
};
pub use id::{CampaignId, NotACampaignId};
pub use inline::{
    INLINE_ANSWER_BYTES_MAX, INLINE_BYTES_MAX, INLINE_ROWS_MAX, InlineAnswer, InlineHeader, InlineJob,
    InlineProblem, OWN_QUEUES_PREFIX, inline_attempts_prefix, inline_key,
};
pub use keys::{ACTIVE_PREFIX, CampaignKeys};
pub use line::{OutputLine, Rendered, SegmentLine, TokenUse};
pub use lines::{
    LineError, LineReader, LineWriter, count_messages, count_segments, decode_header, decode_input,
    encode_input, sha256_hex,
};
pub use manifest::{Manifest, ManifestObject, OutcomeCounts, Totals};
pub use message::{ChunkJob, ChunkResult, EVENTS_QUEUE, Event, jobs_queue, model_label};
pub use outcome::{Outcome, ROW_CODES, Reason};
pub use row::{InputRow, RowStatus};
pub use seed::seed_for;
pub use split::{encode_split, is_split};
pub use state::{CampaignPhase, CampaignState, TransitionError};
pub use user_error::UserError;
pub use validate::{
    Inspection, ParsedCampaign, Problem, Problems, campaign_schema, check_columns, init_campaign,
    inline_campaign_schema, inline_job_schema, inspect_campaign, nearest, parse_campaign,
    parse_inline_campaign,
};
pub use version::{LaterFields, later_version};

//! Turns a campaign and a row into a prompt, and generated text into a checked, rendered message.
//!
//! Pure and synchronous. [`Content`] is a campaign, compiled: it writes prompts, says what answers must match, drafts
//! [`struct@Copy`] from an answer (checks that do not depend on the row), and merges a row's values into it (checks that do).

mod checks;
mod clean;
mod content;
mod copy;
mod fallback;
mod fold;
mod hints;
mod kind;
mod measure;
mod merge;
mod names;
mod prompt;
mod render;
mod rules;
mod schema;
mod value;
mod watch;

pub use checks::codes::CHECKS;
pub use content::{Content, ContentError};
pub use copy::Copy;
pub use kind::{Field, Items, Kind, KindError, Layout, Limit, Pattern, Unit};
pub use merge::Merged;
pub use prompt::Prompt;
pub use value::is_empty_value;

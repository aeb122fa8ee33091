//! What the end-to-end tests share: a folder with a campaign, and the real program run on it.

mod output;
mod workplace;

pub use output::{Message, messages, segment_lines};
pub use workplace::{Finished, Running, Workplace, program, repository};

//! Running a campaign in one process: scheduler and worker on an in-process broker and a store.
//!
//! What comes before, from the campaign file to a campaign that can start, is the scheduler's.

mod execute;
mod folder;
mod progress;
mod summary;

pub(crate) use execute::{Work, execute};
pub(crate) use folder::{OutputFolder, Standing};
pub(crate) use progress::{Extent, Reporter};
pub(crate) use summary::{NextSteps, command_name, print_summary, shell_word};

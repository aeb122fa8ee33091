//! Running a campaign in one process: scheduler and worker on an in-process broker and a store.
//!
//! [`check`] finds everything that is wrong before anything happens, [`prepare()`] adds the pass over the audience,
//! [`execute()`] works. `run`, `preview`, `validate` and `bench pipeline` are made of these.

mod check;
mod execute;
mod folder;
mod prepare;
mod progress;
mod summary;

pub(crate) use check::locate;
pub(crate) use execute::{Work, execute};
pub(crate) use folder::{OutputFolder, Standing};
pub(crate) use prepare::{Prepared, prepare};
pub(crate) use progress::{Extent, Reporter};
pub(crate) use summary::{NextSteps, command_name, print_summary, shell_word};

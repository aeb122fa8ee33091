//! `copymill kinds`: what can be written, and definitions to start an own kind from.

use clap::Args;
use copymill_content::Kind;
use copymill_scheduler::unknown_kind;

use crate::{
    exit::{Exit, usage},
    output::{self, item},
};

/// List what can be written, or show the definition of a kind
///
/// A kind is a file: the fields that the model fills in, their limits, and how they become a message. To make one of
/// your own, save a definition as kinds/NAME.yaml beside the campaign file, change it, and write `kind: NAME`.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill kinds email > kinds/newsletter.yaml")]
pub(crate) struct Kinds {
    /// The kind to show
    name: Option<String>,
}

impl Kinds {
    pub(crate) fn execute(self) -> anyhow::Result<Exit> {
        if let Some(name) = &self.name {
            let Some(text) = Kind::built_in_text(name) else {
                return Err(usage(unknown_kind(name)));
            };
            output::line(text.trim_end());
            return Ok(Exit::Done);
        }
        let width = Kind::built_in_names().map(str::len).max().unwrap_or_default();
        for kind in Kind::built_in_names().filter_map(Kind::built_in) {
            output::line(item(&kind.kind, width, &kind.description));
        }
        Ok(Exit::Done)
    }
}

//! `copymill kinds`: what can be written, and definitions to start an own kind from.

use std::path::Path;

use clap::Args;
use copymill_campaign::nearest;
use copymill_content::Kind;
use serde_json::Value;

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
            let text = Kind::built_in_text(name).ok_or_else(|| usage(unknown(name)))?;
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

/// The definition of a kind: a file `kinds/NAME.yaml` beside the campaign, else a built-in one.
pub(crate) fn definition(name: &str, base: &Path) -> Result<Value, String> {
    // A name is no path: a campaign cannot read files from elsewhere.
    let own = base.join("kinds").join(format!("{name}.yaml"));
    if is_name(name) && own.is_file() {
        let text = std::fs::read_to_string(&own)
            .map_err(|error| format!("{} cannot be read: {error}", own.display()))?;
        let kind = Kind::parse(&text, &own.display().to_string()).map_err(|error| error.to_string())?;
        return Ok(kind.to_value());
    }
    Kind::built_in(name).map(|kind| kind.to_value()).ok_or_else(|| unknown(name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn unknown(name: &str) -> String {
    let near = nearest(name, Kind::built_in_names()).map(|near| format!("; did you mean `{near}`?"));
    let names: Vec<&str> = Kind::built_in_names().collect();
    format!(
        "there is no kind `{name}`{}; built in are {}, and your own is a file kinds/{name}.yaml beside the campaign",
        near.unwrap_or_default(),
        names.join(", ")
    )
}

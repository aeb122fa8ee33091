//! Kinds as files beside a campaign, or built in.

use std::path::{Path, PathBuf};

use copymill_campaign::nearest;
use copymill_content::Kind;
use serde_json::Value;

/// The definition of a kind: a file `kinds/NAME.yaml` beside the campaign, else a built-in one.
pub fn kind_definition(name: &str, base: &Path) -> Result<Value, String> {
    // A name is no path: a campaign cannot read files from elsewhere.
    let own = own_kind(name, base);
    if is_name(name) && own.is_file() {
        let text = std::fs::read_to_string(&own)
            .map_err(|error| format!("{} cannot be read: {error}", own.display()))?;
        let kind = Kind::parse(&text, &own.display().to_string()).map_err(|error| error.to_string())?;
        return Ok(kind.to_value());
    }
    Kind::built_in(name).map(|kind| kind.to_value()).ok_or_else(|| unknown_kind(name))
}

/// Where the file of a user's own kind is.
pub(super) fn own_kind(name: &str, base: &Path) -> PathBuf {
    base.join("kinds").join(format!("{name}.yaml"))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Says that there is no such kind, and which there are.
pub fn unknown_kind(name: &str) -> String {
    let near = nearest(name, Kind::built_in_names()).map(|near| format!("; did you mean `{near}`?"));
    let names: Vec<&str> = Kind::built_in_names().collect();
    format!(
        "there is no kind `{name}`{}; built in are {}, and your own is a file kinds/{name}.yaml beside the campaign",
        near.unwrap_or_default(),
        names.join(", ")
    )
}

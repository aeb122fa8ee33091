//! Which columns of the audience copy may place, and what names they may have.

use crate::CampaignFile;

/// Characters of a merge field's name at most.
const MERGE_NAME_CHARS_MAX: usize = 64;

/// Whether copy can place `[[name]]`: letters, digits and `_`, not beginning with a digit.
pub fn is_merge_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins
        && name.len() <= MERGE_NAME_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl CampaignFile {
    /// Returns the columns that copy may place, in order: `audience.merge`, or without it every column that is neither
    /// the id nor the address nor in `audience.fields` and that has a name which can be placed.
    pub fn merge_fields(&self, columns: &[String]) -> Vec<String> {
        if let Some(merge) = &self.audience.merge {
            return merge.clone();
        }
        let audience = &self.audience;
        let shown = |column: &String| {
            audience.fields.contains(column)
                || *column == audience.id
                || Some(column) == audience.email.as_ref()
        };
        columns.iter().filter(|column| !shown(column) && is_merge_name(column)).cloned().collect()
    }
}

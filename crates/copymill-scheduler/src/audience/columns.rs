//! The names of an audience's columns.

use std::{collections::HashSet, path::Path};

use super::{COLUMNS_MAX, error::AudienceError};

/// Characters of a column's name at most.
const NAME_CHARS_MAX: usize = 128;

/// Checks the names of the header and trims them.
pub(super) fn check(path: &Path, names: Vec<String>, count: usize) -> Result<Vec<String>, AudienceError> {
    let fail = |reason: String| AudienceError::unusable(path, reason);
    if count > COLUMNS_MAX {
        return Err(fail(format!("it has {count} columns; at most {COLUMNS_MAX} are read")));
    }
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    let mut seen = HashSet::new();
    for (index, name) in names.iter().enumerate() {
        let number = index + 1;
        if name.is_empty() {
            return Err(fail(format!(
                "column {number} of {count} has no name in the header; name it or remove the column"
            )));
        }
        if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(fail(format!(
                "the name of column {number} has control characters or more than {NAME_CHARS_MAX} characters; is the first line the header?"
            )));
        }
        if !seen.insert(name.as_str()) {
            return Err(fail(format!("two columns have the name {name:?}; rename one of them")));
        }
    }
    Ok(names)
}

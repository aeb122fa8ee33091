//! The way to a key: `audience.fields[1]`.

use std::fmt::Write as _;

/// The way to a key, from the root of the file, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct KeyPath(String);

impl KeyPath {
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The key `name` below this one; names that would read as two keys are put into quotes.
    pub(super) fn key(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let dot = if self.0.is_empty() { "" } else { "." };
        let name = if plain { name.to_owned() } else { format!("{name:?}") };
        Self(format!("{}{dot}{name}", self.0))
    }

    /// Item `index`, counted from 0, of the list at this key.
    pub(super) fn index(&self, index: usize) -> Self {
        let mut path = self.0.clone();
        // Writing to a string cannot fail.
        let _ = write!(path, "[{index}]");
        Self(path)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key above; none at the root. A name in quotes may hold anything, so its quotes are followed backwards.
pub(super) fn parent(key: &str) -> Option<&str> {
    if key.is_empty() {
        return None;
    }
    let cut = if key.ends_with('"') { key.trim_end_matches('"').rfind('"')? } else { key.len() };
    Some(&key[..key[..cut].rfind(['.', '[']).unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_like_the_file_and_lead_back_to_the_root() {
        let fields = KeyPath::root().key("audience").key("fields").index(1);
        assert_eq!(fields.as_str(), "audience.fields[1]");
        assert_eq!(parent("audience.fields[1]"), Some("audience.fields"));
        assert_eq!(parent("audience.fields"), Some("audience"));
        assert_eq!(parent("audience"), Some(""));
        assert_eq!(parent(""), None);
        let odd = KeyPath::root().key("facts").key("a.b");
        assert_eq!(odd.as_str(), r#"facts."a.b""#);
        assert_eq!(parent(odd.as_str()), Some("facts"));
    }
}

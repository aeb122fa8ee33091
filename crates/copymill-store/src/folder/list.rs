//! Listing in the order of keys, one page at a time, with memory that does not grow with the folder.
//!
//! A directory's entries come from the system in no order. Each is compared as the text its keys begin with, so a
//! directory counts as its name and a slash: `a-b` lies before `a/b`, as in S3.

use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::path::Path;

use super::absent_as_none;
use crate::key::{KEY_BYTES_MAX, is_part, validate_key};
use crate::store::Listed;

/// Keys in one page, and directory entries in memory at once; as many as S3 returns.
const PAGE_KEYS: usize = 1000;

/// Returns the first page of keys that start with `prefix` and follow `after`.
pub(super) fn page(root: &Path, prefix: &str, after: Option<&str>) -> io::Result<Vec<Listed>> {
    let directory = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
    if !directory.is_empty() && directory.strip_suffix('/').is_none_or(|key| validate_key(key).is_err()) {
        return Ok(Vec::new());
    }
    let mut walk = Walk { root, prefix, after: after.unwrap_or(""), page: Vec::new() };
    walk.visit(directory)?;
    Ok(walk.page)
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    after: &'a str,
    page: Vec<Listed>,
}

impl Walk<'_> {
    /// Adds the keys beneath a directory, given as a key with a slash at its end or empty for the root.
    fn visit(&mut self, directory: &str) -> io::Result<()> {
        let mut last = String::new();
        loop {
            let entries = self.entries_after(directory, &last)?;
            let is_rest = entries.len() < PAGE_KEYS;
            for entry in &entries {
                if self.page.len() == PAGE_KEYS {
                    return Ok(());
                }
                if entry.ends_with('/') {
                    self.visit(entry)?;
                } else if let Some(found) = absent_as_none(fs::metadata(self.root.join(entry)))? {
                    self.page.push(Listed { key: entry.clone(), bytes: found.len() });
                }
            }
            match entries.into_iter().last() {
                Some(entry) if !is_rest => last = entry,
                _ => return Ok(()),
            }
        }
    }

    /// The least entries of a directory that follow `last` and may hold keys of this page, ascending.
    fn entries_after(&self, directory: &str, last: &str) -> io::Result<Vec<String>> {
        let mut least = BinaryHeap::new();
        let Some(entries) = absent_as_none(fs::read_dir(self.root.join(directory)))? else {
            return Ok(Vec::new());
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_part(name)) else { continue };
            let mut kind = entry.file_type()?;
            if kind.is_symlink() {
                // People move a folder to another disk and leave a link; one that leads nowhere is no object.
                let Ok(target) = fs::metadata(entry.path()) else { continue };
                kind = target.file_type();
            }
            let text = format!("{directory}{name}{}", if kind.is_dir() { "/" } else { "" });
            if text.as_str() > last && text.len() <= KEY_BYTES_MAX && self.may_hold_keys(&text) {
                least.push(text);
                if least.len() > PAGE_KEYS {
                    least.pop();
                }
            }
        }
        Ok(least.into_sorted_vec())
    }

    fn may_hold_keys(&self, entry: &str) -> bool {
        let follows = entry > self.after || (entry.ends_with('/') && self.after.starts_with(entry));
        entry.starts_with(self.prefix) && follows
    }
}

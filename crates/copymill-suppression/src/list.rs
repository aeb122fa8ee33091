//! One version of a list: 16 bytes an entry, sorted, so that its size in memory is known beforehand.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use copymill_campaign::SuppressedBy;
use copymill_store::PackedFile;
use sha2::{Digest, Sha256};

/// Entries of a list at most: 160 MB in memory.
pub const ENTRIES_MAX: usize = 10_000_000;
/// Bytes of a line at most, as of a field of the audience.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Entries that memory is taken for at once; doubling would take twice what a list needs.
const ENTRIES_STEP: usize = 1 << 18;
const HASH_BYTES: usize = 16;
/// Digits of a version: enough to tell versions apart, short enough for every output line.
const VERSION_DIGITS: usize = 16;

/// The first 128 bits of a SHA-256. With 10^7 entries and 10^9 recipients, the chance that any is taken for another is
/// below 10^-22.
type Hash = [u8; HASH_BYTES];

/// Why a list cannot be used. Never quotes an entry.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A line is no entry.
    #[error("line {line} {reason}")]
    Line {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is too long.
    #[error("it has more than {ENTRIES_MAX} entries, which is what a worker's memory is meant for")]
    TooMany,
}

/// One version of a list.
pub struct SuppressionList {
    by: SuppressedBy,
    hashes: Vec<Hash>,
    sha256: String,
}

impl SuppressionList {
    /// Reads a file: one entry per line, plain or packed with gzip or zstd. Blank lines and lines that begin with `#` are
    /// none. Blocks.
    pub fn read(path: &Path, by: SuppressedBy) -> Result<Self, ListError> {
        let mut file = PackedFile::open(path)?;
        let hashes = read_entries(BufReader::with_capacity(1 << 16, &mut file), by, ENTRIES_MAX)?;
        Ok(Self { by, hashes, sha256: file.digest()?.sha256 })
    }

    /// Whether an id or an address is on it. White space around it does not count; nor does the case of an address.
    pub fn holds(&self, value: &str) -> bool {
        let hash = match self.by {
            SuppressedBy::Ids => hash_of(value.trim()),
            SuppressedBy::Emails => hash_of(&value.trim().to_lowercase()),
        };
        self.hashes.binary_search(&hash).is_ok()
    }

    /// How many entries it has; equal ones count once.
    pub fn entries(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// SHA-256 of the file as it is stored, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What output lines call this version: the first 16 digits of the SHA-256.
    pub fn version(&self) -> &str {
        &self.sha256[..VERSION_DIGITS]
    }
}

fn read_entries(mut from: impl BufRead, by: SuppressedBy, max: usize) -> Result<Vec<Hash>, ListError> {
    let mut hashes: Vec<Hash> = Vec::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        from.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        let wrong = |reason| ListError::Line { line, reason };
        if bytes.len() > LINE_BYTES_MAX {
            return Err(wrong("is longer than 64 KiB; write one entry per line"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("is not UTF-8; save the list as UTF-8"))?;
        let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text }.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.chars().any(char::is_control) {
            return Err(wrong("holds a control character; save the list as UTF-8, one entry per line"));
        }
        if hashes.len() == max {
            return Err(ListError::TooMany);
        }
        if hashes.len() == hashes.capacity() {
            hashes.reserve_exact(ENTRIES_STEP);
        }
        hashes.push(match by {
            SuppressedBy::Ids => hash_of(text),
            SuppressedBy::Emails => digest_of_address(text).ok_or_else(|| {
                wrong("is no SHA-256 of a trimmed, lower-cased address: 64 hexadecimal digits")
            })?,
        });
    }
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes)
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).first_chunk().copied().unwrap_or_default()
}

/// The beginning of a digest that is written as 64 hexadecimal digits.
fn digest_of_address(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = Hash::default();
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use copymill_campaign::sha256_hex;
    use proptest::prelude::*;

    fn read(content: impl AsRef<[u8]>, by: SuppressedBy) -> Result<SuppressionList, ListError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        SuppressionList::read(file.path(), by)
    }

    #[test]
    fn ids_are_held_whatever_is_around_them() {
        let text = "\u{feff}c-1\r\n\n# left in May\n  c-2 \nc-1\nC-3";
        for packed in [text.as_bytes().to_vec(), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let list = read(&packed, SuppressedBy::Ids).unwrap();
            assert_eq!(list.entries(), 3);
            assert!(["c-1", " c-2\t", "C-3"].iter().all(|id| list.holds(id)));
            assert!(["c-3", "c-", "", "# left in May"].iter().all(|id| !list.holds(id)));
            assert_eq!((list.sha256(), list.version()), (&*sha256_hex(&packed), &sha256_hex(&packed)[..16]));
        }
    }

    #[test]
    fn addresses_are_held_by_their_hash_whatever_their_case_and_nothing_else_is_folded() {
        let hashes = ["ann@example.com", "jörg@bücher.example", "bo+news@example.com", "\"x y\"@example.com"];
        let lines: Vec<String> = hashes.iter().map(|address| sha256_hex(address.as_bytes())).collect();
        let list = read(lines.join("\n").to_uppercase(), SuppressedBy::Emails).unwrap();
        let held = [
            "ann@example.com",
            " ANN@Example.COM\n",
            "JÖRG@BÜCHER.example",
            "Bo+News@example.com",
            "\"X Y\"@example.com",
        ];
        assert!(held.iter().all(|address| list.holds(address)));
        let others =
            ["bo@example.com", "jorg@bucher.example", "jörg@xn--bcher-kva.example", "ann@example.com.", ""];
        assert!(others.iter().all(|address| !list.holds(address)));
    }

    #[test]
    fn a_line_that_is_no_entry_is_named_and_not_quoted() {
        let hash = sha256_hex(b"ann@example.com");
        let secret = "jane.doe@example.com";
        for (line, by, says) in [
            (secret.to_owned(), SuppressedBy::Emails, "line 3 is no SHA-256"),
            (hash[..63].to_owned(), SuppressedBy::Emails, "line 3 is no SHA-256"),
            (format!("{hash},{secret}"), SuppressedBy::Emails, "line 3 is no SHA-256"),
            (format!("{secret}\u{7}"), SuppressedBy::Ids, "line 3 holds a control character"),
            ("x".repeat(LINE_BYTES_MAX), SuppressedBy::Ids, "line 3 is longer than 64 KiB"),
        ] {
            let error = read(format!("{hash}\n# x\n{line}\n{hash}\n"), by).err().unwrap().to_string();
            assert!(error.starts_with(says) && !error.contains("jane"), "{error}");
        }
        let error = read(b"c-1\nc-\xff\n", SuppressedBy::Ids).err().unwrap().to_string();
        assert!(error.starts_with("line 2 is not UTF-8"), "{error}");
    }

    #[test]
    fn a_list_that_was_cut_short_or_is_too_long_is_an_error() {
        let packed = zstd::encode_all("c-1\nc-2\n".as_bytes(), 1).unwrap();
        assert!(read(&packed[..packed.len() - 3], SuppressedBy::Ids).is_err());
        let entries = |max| read_entries("a\nb\nc\n".as_bytes(), SuppressedBy::Ids, max);
        assert_eq!(entries(3).unwrap().len(), 3);
        assert!(matches!(entries(2), Err(ListError::TooMany)));
    }

    proptest! {
        #[test]
        fn a_list_holds_what_a_set_would(ids in proptest::collection::vec("[a-c]{1,3}", 0..60), asked in "[a-c]{1,3}") {
            let list = read(ids.join("\n"), SuppressedBy::Ids).unwrap();
            prop_assert_eq!(list.holds(&asked), ids.contains(&asked));
        }
    }
}

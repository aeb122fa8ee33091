//! What a file is: how it is packed, its format, its encoding.

use std::{fmt, fs::File, io, path::Path};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use copymill_campaign::Separator;
use copymill_store::{PackedFile, Packing, read_full};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{error::AudienceError, separator};

/// Bytes looked at to find the encoding. A character that appears later only is read as the ones before it were.
const SNIFFED_BYTES_MAX: usize = 8 * 1024 * 1024;
const PIECE_BYTES: usize = 64 * 1024;
/// Broken sequences up to which odd bytes are damage to a few rows rather than signs of another encoding.
const DAMAGED_MAX: u64 = 4;

/// Format of an audience file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Fields with a separator between them.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

/// What was found out about an audience, for the line that a run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Format.
    pub format: FileFormat,
    /// How the file is packed.
    pub packing: Packing,
    /// Name of the encoding, such as `UTF-8`.
    pub encoding: &'static str,
    /// Separator of CSV.
    pub separator: Option<Separator>,
    /// Number of columns.
    pub columns: usize,
}

impl Detected {
    /// A Parquet file: its text is UTF-8, and it packs its pages itself.
    pub(super) fn parquet(columns: usize) -> Self {
        let (format, packing) = (FileFormat::Parquet, Packing::Plain);
        Self { format, packing, encoding: UTF_8.name(), separator: None, columns }
    }
}

impl fmt::Display for Detected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.format, self.separator) {
            (FileFormat::Parquet, _) => f.write_str("Parquet")?,
            (FileFormat::Csv, Some(separator)) => {
                write!(f, "CSV separated by {}", separator::word(separator))?
            }
            (FileFormat::Csv, None) => f.write_str("CSV")?,
            (FileFormat::JsonLines, _) => f.write_str("JSONL")?,
        }
        if self.packing != Packing::Plain {
            write!(f, ", {}", self.packing)?;
        }
        if self.format != FileFormat::Parquet {
            write!(f, ", {}", self.encoding)?;
        }
        let plural = if self.columns == 1 { "" } else { "s" };
        write!(f, ", {} column{plural}", self.columns)
    }
}

/// What a Parquet file begins with; one whose footer is encrypted begins otherwise.
const PARQUET: &[u8; 4] = b"PAR1";

/// Whether a file is a Parquet file.
pub(super) fn is_parquet(path: &Path) -> io::Result<bool> {
    let mut head = [0; PARQUET.len()];
    let length = read_full(&mut File::open(path)?, &mut head)?;
    Ok(head[..length] == *PARQUET)
}

/// Finds the encoding: a byte order mark, else what the user says, else what the bytes look like.
pub(super) fn encoding(
    path: &Path,
    file: &mut PackedFile,
    wanted: Option<&str>,
) -> Result<&'static Encoding, AudienceError> {
    let read = |error| AudienceError::io(path, error);
    let given = wanted.map(|label| named(path, label)).transpose()?;
    let mut head = vec![0; PIECE_BYTES];
    let count = read_full(file, &mut head).map_err(read)?;
    head.truncate(count);
    refuse_other_files(path, &head)?;
    if let Some((encoding, _)) = Encoding::for_bom(&head) {
        return Ok(encoding);
    }
    match given.or_else(|| without_mark(&head)) {
        Some(encoding) => Ok(encoding),
        None => guess(file).map_err(read),
    }
}

fn named(path: &Path, label: &str) -> Result<&'static Encoding, AudienceError> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let reason = format!(
            "audience.encoding names the unknown encoding {label:?}; known are utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis and the others of the WHATWG encoding standard"
        );
        AudienceError::unusable(path, reason)
    })
}

/// Says what the file is where it is a known kind that is no text.
fn refuse_other_files(path: &Path, head: &[u8]) -> Result<(), AudienceError> {
    const KINDS: [(&[u8], &str); 12] = [
        (b"PK\x03\x04", "it is an Excel workbook or another ZIP archive; export the sheet as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0", "it is an Excel workbook; export the sheet as CSV UTF-8"),
        (PARQUET, "it is a Parquet file that was packed again; unpack it"),
        (b"PARE", "it is an encrypted Parquet file; write it without encryption"),
        (b"SQLite format 3", "it is an SQLite database; export the table as CSV"),
        (b"\x1f\x8b", "it is packed twice; unpack it once"),
        (b"\x28\xb5\x2f\xfd", "it is packed twice; unpack it once"),
        (b"BZh", "it is packed with bzip2; pack it with gzip or zstd"),
        (b"\xfd7zXZ", "it is packed with xz; pack it with gzip or zstd"),
        (b"%PDF", "it is a PDF; name a CSV, JSONL or Parquet file"),
        (b"\xff\xfe\x00\x00", "its encoding is UTF-32; save it as UTF-8"),
        (b"\x00\x00\xfe\xff", "its encoding is UTF-32; save it as UTF-8"),
    ];
    if head.is_empty() {
        return Err(AudienceError::unusable(path, "it is empty; the first line must name the columns"));
    }
    match KINDS.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, reason)) => Err(AudienceError::unusable(path, *reason)),
        None => Ok(()),
    }
}

/// UTF-16 without a mark: in most scripts that CSV headers are written in, every other byte is null.
fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    const LOOKED_AT: usize = 512;
    let pairs: Vec<&[u8]> = head.chunks_exact(2).take(LOOKED_AT).collect();
    let nulls = |index: usize| pairs.iter().filter(|pair| pair[index] == 0).count();
    let (first, second) = (nulls(0), nulls(1));
    let most = |count: usize| pairs.len() >= 2 && count * 10 >= pairs.len() * 7;
    match (most(first), most(second)) {
        (false, true) if first == 0 => Some(UTF_16LE),
        (true, false) if second == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Counts what speaks for and against UTF-8.
#[derive(Default)]
struct Utf8Evidence {
    characters: u64,
    broken: u64,
    /// A broken byte that stands for no letter, or for a rare one, in Western encodings.
    damage: bool,
}

impl Utf8Evidence {
    /// Takes a piece and returns how many bytes at its end begin a character that the next piece may complete.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        loop {
            let (valid, error) = match std::str::from_utf8(bytes) {
                Ok(_) => (bytes, None),
                Err(error) => (&bytes[..error.valid_up_to()], Some(error)),
            };
            self.characters += valid.iter().filter(|byte| **byte >= 0xc2).count() as u64;
            let Some(error) = error else { return 0 };
            let Some(length) = error.error_len() else { return bytes.len() - valid.len() };
            let broken = &bytes[valid.len()..valid.len() + length];
            self.broken += 1;
            self.damage |= broken
                .iter()
                .any(|byte| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d | 0xc0 | 0xc1 | 0xfe | 0xff));
            bytes = &bytes[valid.len() + length..];
        }
    }
}

/// UTF-8 where the file is UTF-8 but for a few rows; else what the bytes are most likely.
fn guess(file: &mut PackedFile) -> io::Result<&'static Encoding> {
    let mut evidence = Utf8Evidence::default();
    let mut kept = Vec::new();
    each_piece(file, |bytes, _| {
        kept.extend_from_slice(bytes);
        let open = evidence.take(&kept);
        kept.drain(..kept.len() - open);
    })?;
    if evidence.broken == 0 || evidence.characters > evidence.broken {
        return Ok(UTF_8);
    }
    if evidence.damage && evidence.characters + evidence.broken <= DAMAGED_MAX {
        return Ok(UTF_8);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    each_piece(file, |bytes, last| {
        detector.feed(bytes, last);
    })?;
    Ok(detector.guess(None, Utf8Detection::Deny))
}

fn each_piece(file: &mut PackedFile, mut take: impl FnMut(&[u8], bool)) -> io::Result<()> {
    file.go_to(0)?;
    let mut piece = vec![0; PIECE_BYTES];
    for _ in 0..SNIFFED_BYTES_MAX / PIECE_BYTES {
        let count = read_full(file, &mut piece)?;
        let last = count < piece.len();
        take(&piece[..count], last);
        if last {
            break;
        }
    }
    Ok(())
}

//! Recipients from a file, streamed: memory does not grow with the file, and no record is lost silently. CSV and JSONL may
//! be packed with gzip or zstd; Parquet packs itself.
//!
//! [`AudienceReader`] yields every record with its ordinal, a bad one with a code that says why. [`scan`] is the first
//! pass over the file: it counts, hashes, and finds duplicate ids and segments. Messages name lines and columns, never
//! values: they may enter a log.

mod columns;
mod csv_record;
mod detect;
mod duplicates;
mod error;
mod json_record;
mod parquet_rows;
mod parquet_text;
mod reader;
mod scan;
mod separator;
mod sort;
mod split;
mod text_rows;
mod text_source;
mod window;

pub use detect::{Detected, FileFormat};
pub use duplicates::Duplicates;
pub use error::{AudienceError, RecordError};
pub use reader::{AudienceOptions, AudienceReader, Record, Records};
pub use scan::{AudienceScan, Gaps, ScanColumns, ScanLimits, scan, scan_within};

/// Bytes of one field at most. A longer one is no field of a recipient but a file that lost its quotes.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one record that are held at most.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Columns at most.
pub const COLUMNS_MAX: usize = 1_000;

#[cfg(test)]
mod tests;

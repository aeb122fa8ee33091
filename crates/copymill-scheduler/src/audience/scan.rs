//! The first pass over an audience: what planning and acceptance need to know before a row is cut.

use copymill_content::is_empty_value;
use indexmap::IndexSet;

use super::{
    duplicates::{DuplicateFinder, Duplicates},
    error::AudienceError,
    reader::AudienceReader,
};

/// Bytes for finding duplicate ids: a million rows need 24 MB, so that larger audiences go through scratch files.
const DUPLICATE_MEMORY_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of all segments' values together.
const SEGMENT_MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// What may be held during the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Distinct segments at most; with more, the scan reports none.
    pub segments_max: usize,
    /// Bytes for finding duplicate ids.
    pub duplicate_memory_bytes: usize,
}

/// What the pass found.
pub struct AudienceScan {
    /// Records, bad ones included.
    pub records: u64,
    /// Rows whose id an earlier usable row has; none where the reader was given no id column.
    pub duplicates: Duplicates,
    /// The distinct values of the segment columns, in the order in which they first appear. None where there are no
    /// segment columns, or more segments than the limit.
    pub segments: Option<Vec<Vec<String>>>,
    /// Columns that should have a value in every usable row and have none in some.
    pub gaps: Vec<Gaps>,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
}

/// The rows in which a column is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// The column.
    pub column: String,
    /// How many usable rows have no value there.
    pub rows: u64,
    /// Where the first of them is: "line 7".
    pub first: String,
}

/// Columns that the pass looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanColumns<'a> {
    /// Those whose values make a segment.
    pub segment_by: &'a [String],
    /// Those that should not be empty.
    pub filled: &'a [String],
}

/// Reads an audience to its end: counts, hashes, finds gaps, duplicate ids and at most `segments_max` segments.
///
/// Fails where the file has no records. Blocks; memory does not grow with the file.
pub fn scan(
    reader: AudienceReader,
    columns: ScanColumns<'_>,
    segments_max: usize,
) -> Result<AudienceScan, AudienceError> {
    scan_within(reader, columns, ScanLimits { segments_max, duplicate_memory_bytes: DUPLICATE_MEMORY_BYTES })
}

/// Reads an audience to its end within limits of the caller's; see [`scan`].
pub fn scan_within(
    mut reader: AudienceReader,
    wanted: ScanColumns<'_>,
    limits: ScanLimits,
) -> Result<AudienceScan, AudienceError> {
    let places =
        |names: &[String]| names.iter().map(|name| reader.column(name)).collect::<Result<Vec<_>, _>>();
    let (columns, filled) = (places(wanted.segment_by)?, places(wanted.filled)?);
    let mut gaps: Vec<Option<Gaps>> = vec![None; filled.len()];
    let id = reader.id_column();
    let mut segments = (!columns.is_empty()).then(|| Segments::new(limits.segments_max));
    let mut finder = DuplicateFinder::new(limits.duplicate_memory_bytes);
    let mut records = 0;
    while let Some(record) = reader.next_record()? {
        records += 1;
        let Ok(values) = record.values else { continue };
        for (column, gaps) in
            filled.iter().zip(&mut gaps).filter(|(column, _)| is_empty_value(&values[**column]))
        {
            let first = || Gaps { column: reader.columns()[*column].clone(), rows: 0, first: reader.place() };
            gaps.get_or_insert_with(first).rows += 1;
        }
        if let Some(id) = id {
            finder.push(&values[id], record.ordinal)?;
        }
        if segments.as_mut().is_some_and(|segments| !segments.take(&columns, &values)) {
            segments = None;
        }
    }
    if records == 0 {
        return Err(AudienceError::without_recipients(reader.name()));
    }
    let duplicates = finder.finish()?;
    let (sha256, bytes) = reader.into_digest()?;
    let (segments, gaps) = (segments.map(Segments::into_list), gaps.into_iter().flatten().collect());
    Ok(AudienceScan { records, duplicates, segments, gaps, sha256, bytes })
}

/// The distinct values of some columns, as long as they are few.
struct Segments {
    known: IndexSet<Vec<String>>,
    max: usize,
    bytes: usize,
    /// The last row's, which is most often the next one's too; spares a look-up and its allocations.
    last: Vec<String>,
}

impl Segments {
    fn new(max: usize) -> Self {
        Self { known: IndexSet::new(), max, bytes: 0, last: Vec::new() }
    }

    /// Takes a row; false where there are too many.
    fn take(&mut self, columns: &[usize], values: &[String]) -> bool {
        let same = self.last.len() == columns.len()
            && columns.iter().zip(&self.last).all(|(column, last)| values[*column] == *last);
        if same {
            return true;
        }
        let key: Vec<String> = columns.iter().map(|column| values[*column].clone()).collect();
        if !self.known.contains(&key) {
            self.bytes += key.iter().map(String::len).sum::<usize>();
            self.known.insert(key.clone());
        }
        self.last = key;
        self.known.len() <= self.max && self.bytes <= SEGMENT_MEMORY_BYTES
    }

    fn into_list(self) -> Vec<Vec<String>> {
        self.known.into_iter().collect()
    }
}

//! Reads records one by one, whatever the format of the file.

use std::path::{Path, PathBuf};

use copymill_campaign::{Audience, Separator};

use super::{
    detect::{self, Detected},
    error::{AudienceError, RecordError},
    parquet_rows::ParquetRows,
    text_rows::TextRows,
};

/// How an audience is read. What is not said is detected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudienceOptions {
    /// Separator of a CSV file.
    pub separator: Option<Separator>,
    /// Name of the encoding, such as `windows-1252`.
    pub encoding: Option<String>,
    /// The id column: a record without a value there is an error. None asks for no id.
    pub id: Option<String>,
    /// What the file is called where its path is a copy's: in messages, and for what its ending tells.
    pub name: Option<String>,
}

impl AudienceOptions {
    /// What a campaign says about its audience.
    pub fn of(audience: &Audience) -> Self {
        Self {
            separator: audience.separator,
            encoding: audience.encoding.clone(),
            id: Some(audience.id.clone()),
            name: None,
        }
    }
}

/// One record of the audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, counted from 0; bad records count too.
    pub ordinal: u64,
    /// Values in the order of the columns, exactly as in the file; or why there are none.
    pub values: Result<Vec<String>, RecordError>,
}

enum Rows {
    Text(Box<TextRows>),
    Parquet(ParquetRows),
}

/// An audience that is being read: every record once, in order, in bounded memory.
pub struct AudienceReader {
    name: PathBuf,
    rows: Rows,
    columns: Vec<String>,
    id: Option<usize>,
    detected: Detected,
    next_ordinal: u64,
}

impl AudienceReader {
    /// Opens a CSV, JSONL or Parquet file, detects what the options leave open, and reads the names of the columns.
    pub fn open(path: &Path, options: AudienceOptions) -> Result<Self, AudienceError> {
        let name = options.name.as_ref().map_or_else(|| path.to_owned(), PathBuf::from);
        let is_parquet = detect::is_parquet(path).map_err(|error| AudienceError::io(&name, error))?;
        let (rows, columns, detected) = if is_parquet {
            let (rows, columns) = ParquetRows::open(path, &name)?;
            let detected = Detected::parquet(columns.len());
            (Rows::Parquet(rows), columns, detected)
        } else {
            let (rows, columns, detected) = TextRows::open(path, &name, &options)?;
            (Rows::Text(Box::new(rows)), columns, detected)
        };
        let mut reader = Self { name, rows, columns, id: None, detected, next_ordinal: 0 };
        reader.id = options.id.map(|id| reader.column(&id)).transpose()?;
        Ok(reader)
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Index of a column; an error that suggests a near miss where there is none of that name.
    pub fn column(&self, name: &str) -> Result<usize, AudienceError> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| {
            let near = copymill_campaign::nearest(name, self.columns.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            AudienceError::unusable(&self.name, format!("it has no column {name:?}{hint}"))
        })
    }

    /// Index of the id column, where one was asked for.
    pub fn id_column(&self) -> Option<usize> {
        self.id
    }

    /// What was detected.
    pub fn describe(&self) -> &Detected {
        &self.detected
    }

    /// What the file is called.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Passes over records, to go on where an earlier run stopped. Fails where the file has fewer.
    pub fn skip(&mut self, records: u64) -> Result<(), AudienceError> {
        let skipped = match &mut self.rows {
            Rows::Text(rows) => rows.skip(records).map_err(|error| AudienceError::io(&self.name, error))?,
            Rows::Parquet(rows) => rows.skip(records)?,
        };
        self.next_ordinal += skipped;
        if skipped == records {
            return Ok(());
        }
        let reason = format!("it has {skipped} records and had {records} before; did the file change?");
        Err(AudienceError::unusable(&self.name, reason))
    }

    /// The next record; none at the end. Fails only where the file cannot be read on.
    pub fn next_record(&mut self) -> Result<Option<Record>, AudienceError> {
        let next = match &mut self.rows {
            Rows::Text(rows) => {
                rows.next(&self.columns).map_err(|error| AudienceError::io(&self.name, error))?
            }
            Rows::Parquet(rows) => rows.next(&self.columns)?,
        };
        let Some(values) = next else { return Ok(None) };
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        Ok(Some(Record { ordinal, values: values.and_then(|values| self.with_id(values)) }))
    }

    /// Where the last record was: "line 7", or "row 6" in a file without lines.
    pub fn place(&self) -> String {
        match &self.rows {
            Rows::Text(rows) => at_line(rows.line()),
            Rows::Parquet(_) => at_row(self.next_ordinal),
        }
    }

    /// Reads to the end of the file and returns SHA-256 in hexadecimal and size of all its bytes as they are stored.
    pub fn into_digest(self) -> Result<(String, u64), AudienceError> {
        let digested = match self.rows {
            Rows::Text(rows) => rows.digest(),
            Rows::Parquet(rows) => rows.digest(),
        };
        let digested = digested.map_err(|error| AudienceError::io(&self.name, error))?;
        Ok((digested.sha256, digested.bytes))
    }

    fn with_id(&self, values: Vec<String>) -> Result<Vec<String>, RecordError> {
        match self.id {
            Some(id) if values[id].trim().is_empty() => {
                let message = format!("{}: the id column {:?} is empty", self.place(), self.columns[id]);
                Err(RecordError::new("missing_id", message))
            }
            _ => Ok(values),
        }
    }
}

impl IntoIterator for AudienceReader {
    type Item = Record;
    type IntoIter = Records;

    fn into_iter(self) -> Records {
        Records { reader: Some(self) }
    }
}

/// The records of an audience. A file that cannot be read on ends with a record whose code is `read_failed`; callers
/// for whom that must be an error use [`AudienceReader::next_record`].
pub struct Records {
    reader: Option<AudienceReader>,
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let reader = self.reader.as_mut()?;
        match reader.next_record() {
            Ok(record) => record,
            Err(error) => {
                let ordinal = reader.next_ordinal;
                self.reader = None;
                Some(Record { ordinal, values: Err(RecordError::new("read_failed", error.to_string())) })
            }
        }
    }
}

/// A place in a text file.
pub(super) fn at_line(line: u64) -> String {
    format!("line {line}")
}

/// A place in a file without lines, counted from 1.
pub(super) fn at_row(number: u64) -> String {
    format!("row {number}")
}

//! The records of a Parquet file: a row group after the other, page by page, one row as text at a time.
//!
//! What is held are the pages of the row group that the current rows are in. The limits below bound what a page may be;
//! a gzip page that is larger than its header says is the one thing that they cannot foresee.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use copymill_store::{Digested, PackedFile};
use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    errors::ParquetError,
    file::{
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
    schema::types::SchemaDescriptor,
};

use super::{
    RECORD_BYTES_MAX, columns, csv_record,
    error::{AudienceError, RecordError},
    parquet_text::{Form, NoText, Text},
    reader::at_row,
};

/// Bytes that a row group unpacks to at most: what programs write by default stays far below, and even a file with one
/// page for each column fits into memory.
const ROW_GROUP_BYTES_MAX: u64 = 1 << 30;
/// Bytes of the footer at most; it is read whole.
const FOOTER_BYTES_MAX: u32 = 64 << 20;
/// Bytes of the length and the mark that a file ends with.
const FOOTER_END_BYTES: i64 = 8;
/// Rows that are taken from the pages at once.
const BATCH_ROWS: usize = 1024;

/// The records of a Parquet file, one after the other.
pub(super) struct ParquetRows {
    path: PathBuf,
    name: PathBuf,
    file: SerializedFileReader<File>,
    forms: Vec<Form>,
    /// The row group that is opened next.
    next_group: usize,
    /// Columns of the row group that is open, with the values of a batch of rows.
    columns: Vec<Box<dyn Column>>,
    /// Rows of the open group that are in no batch yet.
    rows_left: u64,
    /// Rows of the batch that were not given yet.
    batch_left: usize,
    /// Rows before the next one.
    row: u64,
}

impl ParquetRows {
    /// Opens a file, checks its columns and its limits, and returns the names of the columns too.
    pub(super) fn open(path: &Path, name: &Path) -> Result<(Self, Vec<String>), AudienceError> {
        let io_error = |error| AudienceError::io(name, error);
        let mut stored = File::open(path).map_err(io_error)?;
        check_footer(&mut stored)
            .map_err(io_error)?
            .map_err(|reason| AudienceError::unusable(name, reason))?;
        let file = unless_it_panics(|| SerializedFileReader::new(stored));
        let file = file.map_err(|error| damaged(name, &error))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let (names, forms) =
            described_columns(schema).map_err(|reason| AudienceError::unusable(name, reason))?;
        let count = names.len();
        let names = columns::check(name, names, count)?;
        let rows = Self {
            path: path.to_owned(),
            name: name.to_owned(),
            file,
            forms,
            next_group: 0,
            columns: Vec::new(),
            rows_left: 0,
            batch_left: 0,
            row: 0,
        };
        rows.check_groups().map_err(|reason| AudienceError::unusable(name, reason))?;
        Ok((rows, names))
    }

    /// Passes over rows and returns over how many: fewer where the file ends. Whole row groups are not read.
    pub(super) fn skip(&mut self, rows: u64) -> Result<u64, AudienceError> {
        let mut left = rows;
        while left > 0 {
            if self.batch_left == 0 && self.rows_left == 0 {
                let Some(group) = self.group_rows(self.next_group) else { break };
                if group <= left {
                    self.next_group += 1;
                    self.row += group;
                    left -= group;
                    continue;
                }
            }
            if self.batch_left == 0 && !self.fill()? {
                break;
            }
            let passed = self.batch_left.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.columns.iter_mut().for_each(|column| column.pass(passed));
            self.batch_left -= passed;
            self.row += passed as u64;
            left -= passed as u64;
        }
        Ok(rows - left)
    }

    /// The next row's values, or why there are none; nothing at the end of the file.
    pub(super) fn next(
        &mut self,
        columns: &[String],
    ) -> Result<Option<Result<Vec<String>, RecordError>>, AudienceError> {
        if self.batch_left == 0 && !self.fill()? {
            return Ok(None);
        }
        self.batch_left -= 1;
        self.row += 1;
        let number = self.row;
        let (mut values, mut bytes, mut wrong) = (Vec::with_capacity(columns.len()), 0, None);
        // Every column moves on to the next row, also past a value that cannot be read.
        for (column, name) in self.columns.iter_mut().zip(columns) {
            let length = column.length();
            bytes += length;
            let text = column.next(bytes <= RECORD_BYTES_MAX);
            if wrong.is_some() {
                continue;
            }
            match check_value(length, text, name, number) {
                Ok(text) => values.push(text),
                Err(error) => wrong = Some(error),
            }
        }
        if bytes > RECORD_BYTES_MAX {
            let message = format!("{}: a record of more than {RECORD_BYTES_MAX} bytes", at_row(number));
            return Ok(Some(Err(RecordError::new("record_too_large", message))));
        }
        Ok(Some(wrong.map_or(Ok(values), Err)))
    }

    /// SHA-256 and size of the file as it is stored.
    pub(super) fn digest(self) -> io::Result<Digested> {
        PackedFile::open(&self.path)?.digest()
    }

    fn check_groups(&self) -> Result<(), String> {
        let metadata = self.file.metadata();
        let mut rows = 0_i64;
        for (number, group) in (1..).zip(metadata.row_groups()) {
            check_group(number, group.total_byte_size(), group.num_rows())?;
            rows = rows.saturating_add(group.num_rows());
            if group.columns().iter().any(|column| column.num_values() != group.num_rows()) {
                return Err(format!(
                    "it is a damaged Parquet file: the columns of row group {number} differ in length"
                ));
            }
        }
        if rows != metadata.file_metadata().num_rows() {
            return Err(
                "it is a damaged Parquet file: its row groups have not as many rows as it says".into()
            );
        }
        Ok(())
    }

    fn group_rows(&self, group: usize) -> Option<u64> {
        let group = self.file.metadata().row_groups().get(group)?;
        u64::try_from(group.num_rows()).ok()
    }

    /// Takes a batch of rows from the pages; false at the end of the file.
    fn fill(&mut self) -> Result<bool, AudienceError> {
        while self.rows_left == 0 {
            let Some(rows) = self.group_rows(self.next_group) else { return Ok(false) };
            let opened = unless_it_panics(|| self.open_group(self.next_group));
            self.columns = opened.map_err(|error| damaged(&self.name, &error))?;
            self.next_group += 1;
            self.rows_left = rows;
        }
        let count = BATCH_ROWS.min(usize::try_from(self.rows_left).unwrap_or(usize::MAX));
        for column in &mut self.columns {
            unless_it_panics(|| column.fill(count)).map_err(|error| damaged(&self.name, &error))?;
        }
        self.batch_left = count;
        self.rows_left -= count as u64;
        Ok(true)
    }

    fn open_group(&self, group: usize) -> Result<Vec<Box<dyn Column>>, ParquetError> {
        let group = self.file.get_row_group(group)?;
        (0..).zip(&self.forms).map(|(index, form)| open_column(group.as_ref(), index, *form)).collect()
    }
}

/// Checks the file's end before the library reads as many bytes as it says.
fn check_footer(file: &mut File) -> io::Result<Result<(), String>> {
    let mut end = [0; FOOTER_END_BYTES as usize];
    let is_whole = file.metadata()?.len() >= end.len() as u64 + 4;
    if is_whole {
        file.seek(SeekFrom::End(-FOOTER_END_BYTES))?;
        file.read_exact(&mut end)?;
    }
    let [a, b, c, d, mark @ ..] = end;
    if !is_whole || mark != *b"PAR1" {
        return Ok(Err("it is a Parquet file that was cut short: its end is missing; copy it again".into()));
    }
    let bytes = u32::from_le_bytes([a, b, c, d]);
    if bytes > FOOTER_BYTES_MAX {
        return Ok(Err(format!("its footer has {bytes} bytes; at most {FOOTER_BYTES_MAX} are read")));
    }
    Ok(Ok(()))
}

/// Checks what the footer says of a row group.
fn check_group(number: u64, bytes: i64, rows: i64) -> Result<(), String> {
    let (Ok(bytes), Ok(_)) = (u64::try_from(bytes), u64::try_from(rows)) else {
        return Err(format!("it is a damaged Parquet file: its row group {number} has a negative size"));
    };
    if bytes > ROW_GROUP_BYTES_MAX {
        return Err(format!(
            "its row group {number} unpacks to {bytes} bytes; at most {ROW_GROUP_BYTES_MAX} are read; write the file with \
             smaller row groups"
        ));
    }
    Ok(())
}

/// Names and forms of the columns; an error names the first that is not read.
fn described_columns(schema: &SchemaDescriptor) -> Result<(Vec<String>, Vec<Form>), String> {
    let (mut names, mut forms) = (Vec::new(), Vec::new());
    for (index, field) in schema.root_schema().get_fields().iter().enumerate() {
        let name = field.name();
        let is_list = field.get_basic_info().has_repetition()
            && field.get_basic_info().repetition() == parquet::basic::Repetition::REPEATED;
        if !field.is_primitive() || is_list {
            return Err(format!(
                "the column {name:?} is nested; write its parts as columns of their own, as text or numbers"
            ));
        }
        let column = schema.column(index);
        let Some(form) = Form::of(&column) else {
            let logical = column
                .logical_type_ref()
                .map_or_else(|| column.converted_type().to_string(), |logical| format!("{logical:?}"));
            return Err(format!(
                "the column {name:?} has the type {} ({logical}), which is not read; write it as text",
                column.physical_type()
            ));
        };
        names.push(name.to_owned());
        forms.push(form);
    }
    Ok((names, forms))
}

/// Calls the library, which panics over some damaged pages instead of saying so. Nothing that a call has touched is used
/// after it failed.
fn unless_it_panics<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(ParquetError::General("its pages are not what its footer says".into())))
}

/// What the library says is about the file's structure and holds no values.
fn damaged(name: &Path, error: &ParquetError) -> AudienceError {
    let reason = format!("it is a damaged Parquet file, or one of a kind that is not read: {error}");
    AudienceError::unusable(name, reason)
}

fn check_value(
    length: usize,
    text: Result<String, NoText>,
    column: &str,
    number: u64,
) -> Result<String, RecordError> {
    let place = || at_row(number);
    csv_record::check_length(length, column, place)?;
    match text {
        Ok(text) if text.contains('\0') => {
            Err(RecordError::new("null_byte", format!("{}: a null byte", place())))
        }
        Ok(text) => Ok(text),
        Err(NoText::NotUtf8) => {
            let message = format!("{}: the bytes of the column {column:?} are no UTF-8 text", place());
            Err(RecordError::new("invalid_encoding", message))
        }
        Err(NoText::OutOfRange) => {
            let message = format!("{}: the number or time of the column {column:?} is out of range", place());
            Err(RecordError::new("value_out_of_range", message))
        }
    }
}

/// A column of the row group that is open.
trait Column: Send {
    /// Takes the values of the next rows; an error where there are fewer.
    fn fill(&mut self, rows: usize) -> Result<(), ParquetError>;
    /// Bytes of the next row's value, where they can be many.
    fn length(&self) -> usize;
    /// The next row's value as text, where it is wanted; a null is empty.
    fn next(&mut self, is_wanted: bool) -> Result<String, NoText>;
    /// Passes over rows.
    fn pass(&mut self, rows: usize);
}

struct Values<T: DataType> {
    reader: ColumnReaderImpl<T>,
    form: Form,
    /// Level of a value that is there; one below it is a null. 0 where there are no nulls.
    present: i16,
    levels: Vec<i16>,
    values: Vec<T::T>,
    next_row: usize,
    next_value: usize,
}

impl<T: DataType> Values<T>
where
    T::T: Text,
{
    fn boxed(reader: ColumnReaderImpl<T>, form: Form, present: i16) -> Box<dyn Column> {
        let (levels, values) = (Vec::new(), Vec::new());
        Box::new(Self { reader, form, present, levels, values, next_row: 0, next_value: 0 })
    }

    /// The next row's value; none for a null.
    fn peek(&self) -> Option<&T::T> {
        let is_null = self.present > 0 && self.levels.get(self.next_row) != Some(&self.present);
        if is_null { None } else { self.values.get(self.next_value) }
    }
}

impl<T: DataType> Column for Values<T>
where
    T::T: Text,
{
    fn fill(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.levels.clear();
        self.values.clear();
        (self.next_row, self.next_value) = (0, 0);
        let levels = (self.present > 0).then_some(&mut self.levels);
        let (read, _, _) = self.reader.read_records(rows, levels, None, &mut self.values)?;
        let present = self.levels.iter().filter(|level| **level == self.present).count();
        let expected = if self.present > 0 { present } else { rows };
        if read != rows || self.values.len() != expected {
            return Err(ParquetError::General(
                "a column has fewer values than its row group has rows".into(),
            ));
        }
        Ok(())
    }

    fn length(&self) -> usize {
        self.peek().map_or(0, Text::length)
    }

    fn next(&mut self, is_wanted: bool) -> Result<String, NoText> {
        let text = match self.peek() {
            Some(value) if is_wanted => value.text(self.form),
            _ => Ok(String::new()),
        };
        self.pass(1);
        text
    }

    fn pass(&mut self, rows: usize) {
        for _ in 0..rows {
            self.next_value += usize::from(self.peek().is_some());
            self.next_row += 1;
        }
    }
}

fn open_column(
    group: &dyn RowGroupReader,
    index: usize,
    form: Form,
) -> Result<Box<dyn Column>, ParquetError> {
    let present = group.metadata().column(index).column_descr().max_def_level();
    Ok(match group.get_column_reader(index)? {
        ColumnReader::BoolColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::Int32ColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::Int64ColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::Int96ColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::FloatColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::DoubleColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::ByteArrayColumnReader(reader) => Values::boxed(reader, form, present),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::boxed(reader, form, present),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_group_that_does_not_fit_into_memory_is_refused_by_its_number() {
        assert_eq!(check_group(1, 1 << 30, 1_000_000), Ok(()));
        let error = check_group(3, (1 << 30) + 1, 1_000_000).unwrap_err();
        assert!(
            error.starts_with("its row group 3 unpacks to 1073741825 bytes; at most 1073741824"),
            "{error}"
        );
        assert!(check_group(1, -1, 1).is_err() && check_group(1, 1, -1).is_err());
    }
}

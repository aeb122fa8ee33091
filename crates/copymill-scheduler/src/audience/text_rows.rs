//! The records of a text file: CSV or JSONL.

use std::{io, path::Path};

use copymill_campaign::Separator;
use copymill_store::{Digested, PackedFile};
use encoding_rs::Encoding;

use super::{
    RECORD_BYTES_MAX, columns, csv_record,
    detect::{self, Detected, FileFormat},
    error::{AudienceError, RecordError},
    json_record,
    reader::{AudienceOptions, at_line},
    separator::{self, Found},
    split::{Cut, CutKind, Splitter},
    text_source::TextSource,
    window::Window,
};

/// Records of a JSONL file whose keys are its columns.
pub(super) const KEY_RECORDS: usize = 1_000;

enum Format {
    Csv,
    JsonLines(json_record::Columns),
}

/// The records of a text file, one after the other.
pub(super) struct TextRows {
    window: Window,
    splitter: Splitter,
    format: Format,
    /// Bytes of the record that was cut last; the window still holds them.
    current: Option<usize>,
    /// First line of that record.
    line: u64,
}

impl TextRows {
    /// Detects what the options leave open, and reads the names of the columns.
    pub(super) fn open(
        path: &Path,
        name: &Path,
        options: &AudienceOptions,
    ) -> Result<(Self, Vec<String>, Detected), AudienceError> {
        let mut file = PackedFile::open(path).map_err(|error| AudienceError::io(name, error))?;
        let encoding = detect::encoding(name, &mut file, options.encoding.as_deref())?;
        let opening = Opening { path, name, encoding };
        let (rows, columns, separator) =
            if opening.is_json_lines()? { opening.json_lines()? } else { opening.csv(options.separator)? };
        let format = if separator.is_some() { FileFormat::Csv } else { FileFormat::JsonLines };
        let (packing, encoding) = (file.packing(), encoding.name());
        let detected = Detected { format, packing, encoding, separator, columns: columns.len() };
        Ok((rows, columns, detected))
    }

    /// First line of the last record.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Passes over records and returns over how many: fewer where the file ends.
    pub(super) fn skip(&mut self, records: u64) -> io::Result<u64> {
        for skipped in 0..records {
            if self.cut()?.is_none() {
                return Ok(skipped);
            }
        }
        Ok(records)
    }

    /// The next record's values, or why there are none; nothing at the end of the file.
    pub(super) fn next(
        &mut self,
        columns: &[String],
    ) -> io::Result<Option<Result<Vec<String>, RecordError>>> {
        Ok(self.cut()?.map(|cut| self.values(cut, columns)))
    }

    pub(super) fn digest(self) -> io::Result<Digested> {
        self.window.into_source().digest()
    }

    /// Cuts the next record. The window holds its bytes until the next one is cut.
    fn cut(&mut self) -> io::Result<Option<Cut>> {
        if let Some(length) = self.current.take() {
            self.window.advance(length);
        }
        let Some(cut) = self.splitter.next(&mut self.window)? else { return Ok(None) };
        if let CutKind::Record(length) = cut.kind {
            self.current = Some(length);
        }
        self.line = cut.lines.0;
        Ok(Some(cut))
    }

    fn values(&self, cut: Cut, columns: &[String]) -> Result<Vec<String>, RecordError> {
        let CutKind::Record(length) = cut.kind else { return Err(cut_error(cut)) };
        let bytes = &self.window.held()[..length];
        match &self.format {
            Format::Csv => {
                let (ends, fields) = (self.splitter.field_ends(), self.splitter.field_count());
                csv_record::read(bytes, csv_record::Cuts { ends, fields }, columns, self.line)
            }
            Format::JsonLines(columns) => json_record::read(bytes, columns, self.line),
        }
    }
}

/// A text file whose columns are known, and its separator if it is CSV.
type Opened = (TextRows, Vec<String>, Option<Separator>);

/// A file whose encoding is known.
struct Opening<'a> {
    path: &'a Path,
    name: &'a Path,
    encoding: &'static Encoding,
}

impl Opening<'_> {
    /// The text from its beginning.
    fn window(&self) -> io::Result<Window> {
        Ok(Window::new(TextSource::new(PackedFile::open(self.path)?, self.encoding)?))
    }

    fn is_json_lines(&self) -> Result<bool, AudienceError> {
        let name = self.name.to_str().unwrap_or_default().to_ascii_lowercase();
        let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
        let ends_with = |ending: &str| name.ends_with(ending);
        let first = self.first_byte().map_err(|error| AudienceError::io(self.name, error))?;
        if first == Some(b'[') && !ends_with(".csv") {
            let reason = "it is a JSON list; write one object per line, without commas between them (JSONL)";
            return Err(AudienceError::unusable(self.name, reason));
        }
        Ok([".jsonl", ".ndjson", ".json"].into_iter().any(ends_with) || first == Some(b'{'))
    }

    fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut window = self.window()?;
        window.fill()?;
        Ok(window.held().iter().copied().find(|byte| !byte.is_ascii_whitespace()))
    }

    fn csv(&self, wanted: Option<Separator>) -> Result<Opened, AudienceError> {
        let io_error = |error| AudienceError::io(self.name, error);
        let found = match wanted {
            Some(separator) => Found { separator, declared: false },
            None => separator::detect::<io::Error>(|| self.window()).map_err(io_error)?,
        };
        let mut window = self.window().map_err(io_error)?;
        let mut splitter = Splitter::csv(separator::byte(found.separator));
        if found.declared {
            splitter.skip_line(&mut window).map_err(io_error)?;
        }
        let fail = |reason: &str| AudienceError::unusable(self.name, reason);
        let cut = splitter.next(&mut window).map_err(io_error)?;
        let cut = cut.ok_or_else(|| fail("it has blank lines only; the first line must name the columns"))?;
        let CutKind::Record(length) = cut.kind else {
            return Err(fail(&format!("the header cannot be read: {}", cut_error(cut).message)));
        };
        let names = csv_record::read_header(&window.held()[..length], splitter.field_ends(), cut.lines.0)
            .map_err(|error| fail(&format!("the header cannot be read: {}", error.message)))?;
        let columns = columns::check(self.name, names, splitter.field_count())?;
        window.advance(length);
        let rows = TextRows { window, splitter, format: Format::Csv, current: None, line: cut.lines.0 };
        Ok((rows, columns, Some(found.separator)))
    }

    fn json_lines(&self) -> Result<Opened, AudienceError> {
        let io_error = |error| AudienceError::io(self.name, error);
        let names = self.keys().map_err(io_error)?;
        let count = names.len();
        if count == 0 {
            let reason = "none of its first lines is a JSON object with keys; write one object per line";
            return Err(AudienceError::unusable(self.name, reason));
        }
        let columns = columns::check(self.name, names, count)?;
        let format = Format::JsonLines(json_record::Columns::new(&columns));
        let window = self.window().map_err(io_error)?;
        let rows = TextRows { window, splitter: Splitter::lines(), format, current: None, line: 1 };
        Ok((rows, columns, None))
    }

    /// Keys of the first records, in the order in which they appear.
    fn keys(&self) -> io::Result<Vec<String>> {
        let (mut window, mut splitter) = (self.window()?, Splitter::lines());
        let mut keys = indexmap::IndexSet::new();
        for _ in 0..KEY_RECORDS {
            let Some(cut) = splitter.next(&mut window)? else { break };
            if let CutKind::Record(length) = cut.kind {
                let found = json_record::keys(&window.held()[..length]);
                keys.extend(found.into_iter().map(|key| key.trim().to_owned()));
                window.advance(length);
            }
        }
        Ok(keys.into_iter().collect())
    }
}

/// What is wrong with a record that could not be cut.
fn cut_error(cut: Cut) -> RecordError {
    let (first, last) = cut.lines;
    let at = if first == last { at_line(first) } else { format!("lines {first} to {last}") };
    match cut.kind {
        CutKind::UnclosedQuote => RecordError::new(
            "unclosed_quote",
            format!("{at}: a quoted field is not closed; a quote within one is written twice"),
        ),
        CutKind::MalformedQuote => RecordError::new(
            "malformed_quote",
            format!(
                "{at}: a quoted field goes on after its closing quote; a quote within one is written twice"
            ),
        ),
        CutKind::TooLarge | CutKind::Record(_) => RecordError::new(
            "record_too_large",
            format!("{at}: a record of more than {RECORD_BYTES_MAX} bytes; is a quote not closed?"),
        ),
    }
}

//! Reads records one by one.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use copymill_campaign::{Audience, Separator};
use encoding_rs::Encoding;

use super::{
    RECORD_BYTES_MAX, columns, csv_record,
    detect::{self, Detected},
    error::{AudienceError, RecordError},
    json_record,
    separator::{self, Found},
    split::{Cut, CutKind, Splitter},
    text_source::{Digested, TextSource},
    window::Window,
};

/// Records of a JSONL file whose keys are its columns.
pub(super) const KEY_RECORDS: usize = 1_000;

/// How an audience is read. What is not said is detected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudienceOptions {
    /// Separator of a CSV file.
    pub separator: Option<Separator>,
    /// Name of the encoding, such as `windows-1252`.
    pub encoding: Option<String>,
    /// The id column: a record without a value there is an error. None asks for no id.
    pub id: Option<String>,
}

impl AudienceOptions {
    /// What a campaign says about its audience.
    pub fn of(audience: &Audience) -> Self {
        Self {
            separator: audience.separator,
            encoding: audience.encoding.clone(),
            id: Some(audience.id.clone()),
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

enum Format {
    Csv,
    JsonLines(json_record::Columns),
}

/// An audience that is being read: every record once, in order, in bounded memory.
pub struct AudienceReader {
    path: PathBuf,
    window: Window,
    splitter: Splitter,
    format: Format,
    columns: Vec<String>,
    id: Option<usize>,
    detected: Detected,
    next_ordinal: u64,
    /// Bytes of the record that was cut last; the window still holds them.
    current: Option<usize>,
}

impl AudienceReader {
    /// Opens a CSV or JSONL file, detects what the options leave open, and reads the names of the columns.
    pub fn open(path: &Path, options: AudienceOptions) -> Result<Self, AudienceError> {
        let mut file = File::open(path).map_err(|error| AudienceError::io(path, error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(AudienceError::io(path, io::ErrorKind::IsADirectory.into()));
        }
        let encoding = detect::encoding(path, &mut file, options.encoding.as_deref())?;
        let opening = Opening { path, encoding };
        let mut reader =
            if opening.is_json_lines()? { opening.json_lines()? } else { opening.csv(options.separator)? };
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
            AudienceError::unusable(&self.path, format!("it has no column {name:?}{hint}"))
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

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Passes over records, to go on where an earlier run stopped. Fails where the file has fewer.
    pub fn skip(&mut self, records: u64) -> Result<(), AudienceError> {
        for skipped in 0..records {
            if self.cut()?.is_none() {
                let reason =
                    format!("it has {skipped} records and had {records} before; did the file change?");
                return Err(AudienceError::unusable(&self.path, reason));
            }
        }
        Ok(())
    }

    /// The next record; none at the end. Fails only where the file cannot be read on.
    pub fn next_record(&mut self) -> Result<Option<Record>, AudienceError> {
        let Some((ordinal, cut)) = self.cut()? else { return Ok(None) };
        let values = self.values(cut);
        Ok(Some(Record { ordinal, values }))
    }

    /// Reads to the end of the file and returns SHA-256 in hexadecimal and size of all its bytes.
    pub fn into_digest(self) -> Result<(String, u64), AudienceError> {
        let digested =
            self.window.into_source().digest().map_err(|error| AudienceError::io(&self.path, error))?;
        let Digested { sha256, bytes } = digested;
        Ok((sha256, bytes))
    }

    /// Cuts the next record and gives it its ordinal. The window holds its bytes until the next one is cut.
    fn cut(&mut self) -> Result<Option<(u64, Cut)>, AudienceError> {
        if let Some(length) = self.current.take() {
            self.window.advance(length);
        }
        let cut =
            self.splitter.next(&mut self.window).map_err(|error| AudienceError::io(&self.path, error))?;
        let Some(cut) = cut else { return Ok(None) };
        if let CutKind::Record(length) = cut.kind {
            self.current = Some(length);
        }
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        Ok(Some((ordinal, cut)))
    }

    fn values(&self, cut: Cut) -> Result<Vec<String>, RecordError> {
        let CutKind::Record(length) = cut.kind else { return Err(cut_error(cut)) };
        let bytes = &self.window.held()[..length];
        let line = cut.lines.0;
        let values = match &self.format {
            Format::Csv => {
                let (ends, fields) = (self.splitter.field_ends(), self.splitter.field_count());
                csv_record::read(bytes, csv_record::Cuts { ends, fields }, &self.columns, line)?
            }
            Format::JsonLines(columns) => json_record::read(bytes, columns, line)?,
        };
        match self.id {
            Some(id) if values[id].trim().is_empty() => {
                let message = format!("{}: the id column {:?} is empty", at_line(line), self.columns[id]);
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

/// A file whose encoding is known.
struct Opening<'a> {
    path: &'a Path,
    encoding: &'static Encoding,
}

impl Opening<'_> {
    /// The text from its beginning.
    fn window(&self) -> io::Result<Window> {
        Ok(Window::new(TextSource::new(File::open(self.path)?, self.encoding)?))
    }

    fn is_json_lines(&self) -> Result<bool, AudienceError> {
        let extension = self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let first = self.first_byte().map_err(|error| AudienceError::io(self.path, error))?;
        if first == Some(b'[') && !extension.eq_ignore_ascii_case("csv") {
            let reason = "it is a JSON list; write one object per line, without commas between them (JSONL)";
            return Err(AudienceError::unusable(self.path, reason));
        }
        Ok(["jsonl", "ndjson", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
            || first == Some(b'{'))
    }

    fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut window = self.window()?;
        window.fill()?;
        Ok(window.held().iter().copied().find(|byte| !byte.is_ascii_whitespace()))
    }

    fn csv(&self, wanted: Option<Separator>) -> Result<AudienceReader, AudienceError> {
        let io_error = |error| AudienceError::io(self.path, error);
        let found = match wanted {
            Some(separator) => Found { separator, declared: false },
            None => separator::detect::<io::Error>(|| self.window()).map_err(io_error)?,
        };
        let mut window = self.window().map_err(io_error)?;
        let mut splitter = Splitter::csv(separator::byte(found.separator));
        if found.declared {
            splitter.skip_line(&mut window).map_err(io_error)?;
        }
        let fail = |reason: &str| AudienceError::unusable(self.path, reason);
        let cut = splitter.next(&mut window).map_err(io_error)?;
        let cut = cut.ok_or_else(|| fail("it has blank lines only; the first line must name the columns"))?;
        let CutKind::Record(length) = cut.kind else {
            return Err(fail(&format!("the header cannot be read: {}", cut_error(cut).message)));
        };
        let names = csv_record::read_header(&window.held()[..length], splitter.field_ends(), cut.lines.0)
            .map_err(|error| fail(&format!("the header cannot be read: {}", error.message)))?;
        let columns = columns::check(self.path, names, splitter.field_count())?;
        window.advance(length);
        let separator = Some(found.separator);
        Ok(self.reader(Opened { window, splitter, format: Format::Csv, columns, separator }))
    }

    fn json_lines(&self) -> Result<AudienceReader, AudienceError> {
        let io_error = |error| AudienceError::io(self.path, error);
        let names = self.keys().map_err(io_error)?;
        let count = names.len();
        if count == 0 {
            let reason = "none of its first lines is a JSON object with keys; write one object per line";
            return Err(AudienceError::unusable(self.path, reason));
        }
        let columns = columns::check(self.path, names, count)?;
        let format = Format::JsonLines(json_record::Columns::new(&columns));
        let window = self.window().map_err(io_error)?;
        Ok(self.reader(Opened { window, splitter: Splitter::lines(), format, columns, separator: None }))
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

impl Opening<'_> {
    fn reader(&self, opened: Opened) -> AudienceReader {
        let Opened { window, splitter, format, columns, separator } = opened;
        let detected = Detected { encoding: self.encoding.name(), separator, columns: columns.len() };
        AudienceReader {
            path: self.path.to_owned(),
            window,
            splitter,
            format,
            columns,
            id: None,
            detected,
            next_ordinal: 0,
            current: None,
        }
    }
}

/// A file whose columns are known.
struct Opened {
    window: Window,
    splitter: Splitter,
    format: Format,
    columns: Vec<String>,
    separator: Option<Separator>,
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

pub(super) fn at_line(line: u64) -> String {
    format!("line {line}")
}

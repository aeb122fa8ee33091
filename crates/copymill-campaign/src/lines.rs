//! Objects made of lines: JSON Lines, compressed with zstd.

use std::io::{BufRead, BufReader, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::{ChunkHeader, ChunkResult, InputRow, OutcomeCounts, OutputLine, SegmentLine};

/// Bytes of one line at most: far above any message, far below what would hurt a reader.
const LINE_LIMIT: u64 = 64 << 20;

/// zstd's fastest regular level: e-mails of one campaign are so alike that higher levels gain little.
const LEVEL: i32 = 1;

/// Why an object of lines could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} cannot be read: {reason}")]
pub struct LineError {
    /// The line, counted from 1.
    pub line: u64,
    /// Why; holds no content of the line.
    pub reason: String,
}

/// Writes lines into a compressed object in memory.
pub struct LineWriter {
    encoder: zstd::Encoder<'static, Vec<u8>>,
}

impl LineWriter {
    /// Starts an empty object.
    pub fn new() -> Self {
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).expect("level 1 exists");
        encoder.include_checksum(true).expect("set before the first write");
        Self { encoder }
    }

    /// Appends a value as one line.
    pub fn push(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.encoder, value)
            .expect("our types serialise and memory takes every write");
        self.encoder.write_all(b"\n").expect("memory takes every write");
    }

    /// Appends a line that is JSON text already, without its line end.
    pub fn push_json(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.encoder.write_all(piece).expect("memory takes every write");
        }
        self.encoder.write_all(b"\n").expect("memory takes every write");
    }

    /// Returns the object.
    pub fn finish(self) -> Vec<u8> {
        self.encoder.finish().expect("memory takes every write")
    }
}

impl Default for LineWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the lines of a compressed object as values, one at a time; ends at the first error.
pub struct LineReader<'a, T> {
    lines: BufReader<zstd::Decoder<'static, BufReader<&'a [u8]>>>,
    buffer: Vec<u8>,
    line: u64,
    failed: bool,
    kind: std::marker::PhantomData<T>,
}

impl<'a, T: DeserializeOwned> LineReader<'a, T> {
    /// Starts to read an object.
    pub fn new(object: &'a [u8]) -> Result<Self, LineError> {
        let decoder = zstd::Decoder::new(object).map_err(|e| LineError { line: 0, reason: e.to_string() })?;
        let lines = BufReader::with_capacity(64 << 10, decoder);
        Ok(Self { lines, buffer: Vec::new(), line: 0, failed: false, kind: std::marker::PhantomData })
    }

    /// Reads one value of another type than the rest, such as a header.
    pub fn read<U: DeserializeOwned>(&mut self) -> Result<Option<U>, LineError> {
        self.line += 1;
        self.buffer.clear();
        let line = self.line;
        let error = |reason: String| LineError { line, reason };
        let mut limited = (&mut self.lines).take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut self.buffer).map_err(|e| error(e.to_string()))?;
        if read == 0 {
            return Ok(None);
        }
        if self.buffer.last() != Some(&b'\n') {
            return Err(error("it has no end: the object was cut off, or the line is over 64 MiB".into()));
        }
        // serde_json repeats no content in a syntax error; of data errors only the category and place are kept.
        serde_json::from_slice(&self.buffer)
            .map(Some)
            .map_err(|e| error(format!("{:?} error at column {}", e.classify(), e.column())))
    }
}

impl<T: DeserializeOwned> Iterator for LineReader<'_, T> {
    type Item = Result<T, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let result = self.read().transpose();
        self.failed = matches!(result, Some(Err(_)));
        result
    }
}

/// Writes an input chunk: its header, then its rows.
pub fn encode_input(header: &ChunkHeader, rows: &[InputRow]) -> Vec<u8> {
    let mut writer = LineWriter::new();
    writer.push(header);
    rows.iter().for_each(|row| writer.push(row));
    writer.finish()
}

/// Reads the header of an input chunk.
pub fn decode_header(object: &[u8]) -> Result<ChunkHeader, LineError> {
    let header = LineReader::<InputRow>::new(object)?.read::<ChunkHeader>()?;
    header.ok_or_else(|| LineError { line: 1, reason: "the object is empty".into() })
}

/// Reads an input chunk whole.
pub fn decode_input(object: &[u8]) -> Result<(ChunkHeader, Vec<InputRow>), LineError> {
    let mut reader = LineReader::<InputRow>::new(object)?;
    let header = reader
        .read::<ChunkHeader>()?
        .ok_or_else(|| LineError { line: 1, reason: "the object is empty".into() })?;
    let rows = reader.collect::<Result<Vec<_>, _>>()?;
    Ok((header, rows))
}

/// Counts what a stored output object of messages holds.
pub fn count_messages(object: &[u8]) -> Result<ChunkResult, LineError> {
    let mut result = empty_result(object);
    for line in LineReader::<OutputLine>::new(object)? {
        let line = line?;
        result.outcomes.add(line.outcome, 1);
        result.tokens += line.tokens;
        widen(&mut result.rows, line.row);
        line.reasons.iter().for_each(|reason| *result.reasons.entry(reason.code.clone()).or_default() += 1);
    }
    Ok(result)
}

/// Counts what a stored output object of segments holds. `first` is the number of its first segment, which no line says.
pub fn count_segments(object: &[u8], first: u64) -> Result<ChunkResult, LineError> {
    let mut result = ChunkResult { rows: (first, first), ..empty_result(object) };
    let mut last = None;
    for line in LineReader::<SegmentLine>::new(object)? {
        let line = line?;
        result.outcomes.add(line.outcome, 1);
        result.tokens += line.tokens;
        line.reasons.iter().for_each(|reason| *result.reasons.entry(reason.code.clone()).or_default() += 1);
        if last.as_ref() != Some(&line.segment) {
            result.rows.1 += 1;
            last = Some(line.segment);
        }
    }
    Ok(result)
}

/// SHA-256 of bytes as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn empty_result(object: &[u8]) -> ChunkResult {
    ChunkResult {
        sha256: sha256_hex(object),
        bytes: object.len() as u64,
        rows: (0, 0),
        outcomes: OutcomeCounts::default(),
        reasons: Default::default(),
        tokens: Default::default(),
    }
}

fn widen(rows: &mut (u64, u64), row: u64) {
    *rows = if rows.1 == 0 { (row, row + 1) } else { (rows.0.min(row), rows.1.max(row + 1)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChunkId, RowStatus};

    fn chunk() -> (ChunkHeader, Vec<InputRow>) {
        let header = ChunkHeader {
            v: 1,
            chunk: ChunkId::whole(3),
            rows: (6, 8),
            columns: vec!["id".into(), "name".into()],
            records_read: 8,
        };
        let row = |row: u64, name: &str| InputRow {
            row,
            recipient_id: Some(format!("c-{row}")),
            values: vec![format!("c-{row}"), name.into()],
            status: RowStatus::Ready,
        };
        (header, vec![row(6, "Zoë\u{2028}"), row(7, "{\"a\":1}\n")])
    }

    #[test]
    fn an_input_chunk_survives_a_round_trip() {
        let (header, rows) = chunk();
        let object = encode_input(&header, &rows);
        assert_eq!(decode_input(&object).unwrap(), (header.clone(), rows));
        assert_eq!(decode_header(&object).unwrap(), header);
    }

    #[test]
    fn an_object_that_was_cut_off_or_altered_is_an_error_and_never_a_shorter_chunk() {
        let (header, rows) = chunk();
        let object = encode_input(&header, &rows);
        for end in 0..object.len() {
            assert!(decode_input(&object[..end]).is_err(), "cut at {end} of {}", object.len());
        }
        for at in 0..object.len() {
            let mut altered = object.clone();
            altered[at] ^= 0x20;
            if let Ok(read) = decode_input(&altered) {
                assert_eq!(read, (header.clone(), rows.clone()), "altered at {at}");
            }
        }
    }
}

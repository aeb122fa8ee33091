//! Cuts text into records, and CSV records into fields.
//!
//! The `csv` crate reads what breaks the rules of quoting as well as it can and holds a record of any length, so one
//! unclosed quote joins rows into one or takes all memory. Here a broken quote costs the line it is on, and every line
//! that is dropped is accounted for. A test holds both to the same reading of well-formed files.

use std::io;

use super::{COLUMNS_MAX, RECORD_BYTES_MAX, window::Window};

/// What the next lines of the text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// First and last line, counted from 1.
    pub(super) lines: (u64, u64),
    pub(super) kind: CutKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutKind {
    /// A record of so many bytes, held by the window; [`Window::advance`] passes on from it.
    Record(usize),
    /// A record that is longer than what may be held; it was passed over.
    TooLarge,
    /// A quoted field that is not closed; the lines up to the one where it begins were passed over.
    UnclosedQuote,
    /// A quoted field that goes on after its closing quote; its line was passed over.
    MalformedQuote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within a quoted field: the field's end, or the first of two that stand for one.
    QuoteInQuoted,
}

/// Cuts one record after the other.
pub(super) struct Splitter {
    /// None cuts lines, without quotes and fields.
    separator: Option<u8>,
    /// Line that the next byte is on.
    line: u64,
    /// The last byte ended a line as the first half of CR LF, or as a CR alone.
    after_cr: bool,
    state: State,
    /// First line break within the quoted field: offset in the text, and its line.
    break_in_quotes: Option<(u64, u64)>,
    /// Ends of the record's fields, as far as columns are allowed.
    ends: Vec<usize>,
    fields: usize,
}

enum Stop {
    /// Everything held was read.
    Dry,
    End,
    Malformed,
}

impl Splitter {
    pub(super) fn csv(separator: u8) -> Self {
        Self::new(Some(separator))
    }

    pub(super) fn lines() -> Self {
        Self::new(None)
    }

    fn new(separator: Option<u8>) -> Self {
        let state = State::FieldStart;
        Self {
            separator,
            line: 1,
            after_cr: false,
            state,
            break_in_quotes: None,
            ends: Vec::new(),
            fields: 0,
        }
    }

    /// Ends of the last record's fields in bytes from its beginning; not all where there are too many.
    pub(super) fn field_ends(&self) -> &[usize] {
        &self.ends
    }

    /// Fields of the last record.
    pub(super) fn field_count(&self) -> usize {
        self.fields
    }

    /// Passes over the first line, whatever it holds.
    pub(super) fn skip_line(&mut self, window: &mut Window) -> io::Result<()> {
        self.skip_line_breaks(window)?;
        self.skip_to_line_break(window)
    }

    /// Cuts the next record; blank lines are none. None at the end of the text.
    pub(super) fn next(&mut self, window: &mut Window) -> io::Result<Option<Cut>> {
        if !self.skip_line_breaks(window)? {
            return Ok(None);
        }
        self.state = if self.separator.is_some() { State::FieldStart } else { State::Unquoted };
        self.break_in_quotes = None;
        self.ends.clear();
        self.fields = 0;
        let first = self.line;
        let mut read = 0;
        let mut overlong = false;
        loop {
            let stop = self.run(window, &mut read);
            let ended = match stop {
                Stop::Dry => !window.fill()?,
                Stop::End => true,
                Stop::Malformed => return self.recover(window, first, read).map(Some),
            };
            if ended && self.state == State::Quoted {
                return self.recover(window, first, read).map(Some);
            }
            if ended {
                self.end_field(read);
                overlong |= read > RECORD_BYTES_MAX;
                let kind = if overlong { CutKind::TooLarge } else { CutKind::Record(read) };
                if overlong {
                    window.advance(read);
                }
                return Ok(Some(Cut { lines: (first, self.line), kind }));
            }
            if read > RECORD_BYTES_MAX {
                overlong = true;
                window.advance(read);
                read = 0;
            }
        }
    }

    /// Reads what the window holds, until the record ends or breaks.
    fn run(&mut self, window: &Window, read: &mut usize) -> Stop {
        let held = window.held();
        while let Some(&byte) = held.get(*read) {
            let line_break = byte == b'\n' || byte == b'\r';
            match self.state {
                State::Quoted => {
                    if byte == b'"' {
                        self.state = State::QuoteInQuoted;
                    } else if line_break {
                        self.break_in_quotes
                            .get_or_insert((window.record_offset() + *read as u64, self.line));
                        self.count_line(byte);
                    }
                    self.after_cr = byte == b'\r';
                }
                State::QuoteInQuoted if byte == b'"' => self.state = State::Quoted,
                _ if line_break => return Stop::End,
                _ if Some(byte) == self.separator => {
                    self.end_field(*read);
                    self.state = State::FieldStart;
                }
                State::QuoteInQuoted => return Stop::Malformed,
                State::FieldStart if byte == b'"' => {
                    self.state = State::Quoted;
                    self.break_in_quotes = None;
                    self.after_cr = false;
                }
                State::FieldStart => self.state = State::Unquoted,
                State::Unquoted => {}
            }
            *read += 1;
        }
        Stop::Dry
    }

    fn end_field(&mut self, end: usize) {
        self.fields += 1;
        if self.ends.len() <= COLUMNS_MAX {
            self.ends.push(end);
        }
    }

    /// Goes on after the line on which a broken quote began: that line alone cannot be read.
    fn recover(&mut self, window: &mut Window, first: u64, read: usize) -> io::Result<Cut> {
        let spans_lines = self.break_in_quotes.take();
        if let Some((offset, line)) = spans_lines
            && window.go_back(offset)?
        {
            self.line = line;
            self.after_cr = false;
            return Ok(Cut { lines: (first, line), kind: CutKind::UnclosedQuote });
        }
        let unclosed = spans_lines.is_some() || self.state == State::Quoted;
        window.advance(read);
        self.skip_to_line_break(window)?;
        let kind = if unclosed { CutKind::UnclosedQuote } else { CutKind::MalformedQuote };
        Ok(Cut { lines: (first, self.line), kind })
    }

    fn skip_to_line_break(&mut self, window: &mut Window) -> io::Result<()> {
        loop {
            let held = window.held();
            if let Some(end) = held.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                window.advance(end);
                return Ok(());
            }
            let length = held.len();
            window.advance(length);
            if !window.fill()? {
                return Ok(());
            }
        }
    }

    /// Passes over line breaks; false at the end of the text.
    fn skip_line_breaks(&mut self, window: &mut Window) -> io::Result<bool> {
        self.after_cr = false;
        loop {
            let mut length = 0;
            while let Some(&byte @ (b'\n' | b'\r')) = window.held().get(length) {
                self.count_line(byte);
                self.after_cr = byte == b'\r';
                length += 1;
            }
            window.advance(length);
            if !window.held().is_empty() {
                return Ok(true);
            }
            if !window.fill()? {
                return Ok(false);
            }
        }
    }

    /// Counts LF, CR and CR LF as one line each.
    fn count_line(&mut self, byte: u8) {
        if byte == b'\r' || !self.after_cr {
            self.line += 1;
        }
    }
}

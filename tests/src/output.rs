//! Reading what a run wrote.

use std::{fs, path::Path};

use copymill_campaign::{LineReader, Outcome, OutputLine, SegmentLine};
use serde_json::Value;

/// A message with its JSON parts parsed.
#[derive(Debug)]
pub struct Message {
    /// The line.
    pub line: OutputLine,
    /// What the model wrote; null where there is none.
    pub content: Value,
    /// What the recipient gets; null where there is nothing.
    pub rendered: Value,
}

impl Message {
    /// Whether the model's copy was taken at the first attempt.
    pub fn first_attempt(&self) -> bool {
        self.line.outcome == Outcome::Generated && self.line.attempt == 1
    }
}

/// All messages of an output folder in the order of its chunks.
pub fn messages(out: &Path) -> Vec<Message> {
    let parse = |json: &Option<Box<serde_json::value::RawValue>>| {
        json.as_ref().map_or(Value::Null, |json| serde_json::from_str(json.get()).expect("JSON"))
    };
    read::<OutputLine>(&out.join("output"))
        .map(|line| Message { content: parse(&line.content), rendered: parse(&line.rendered), line })
        .collect()
}

/// All lines of segments.
pub fn segment_lines(out: &Path) -> Vec<SegmentLine> {
    read(&out.join("segments/output")).collect()
}

fn read<T: serde::de::DeserializeOwned>(folder: &Path) -> impl Iterator<Item = T> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| {
        let object = fs::read(&path).expect("an output object");
        let lines = LineReader::<T>::new(&object).expect("an output object");
        lines.map(|line| line.expect("a whole line")).collect::<Vec<_>>()
    })
}

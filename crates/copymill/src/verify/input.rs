//! What planning decided: rows of `input/`, read chunk by chunk beside the output.

use copymill_campaign::{ChunkHeader, ChunkId, ChunkKind, LineError, LineReader, Outcome, RowStatus};
use serde::Deserialize;

use super::{Check, Problems};

/// A row that planning cut; values are read for segments alone.
#[derive(Debug, Deserialize)]
pub(super) struct PlannedRow {
    /// Its ordinal.
    pub(super) row: u64,
    /// Its label.
    pub(super) recipient_id: Option<String>,
    /// What planning decided about it.
    #[serde(default)]
    status: RowStatus,
    /// A segment's values.
    #[serde(default)]
    values: Vec<String>,
}

impl PlannedRow {
    /// The outcome that planning settled; none for rows that are generated.
    pub(super) fn settled(&self) -> Option<Outcome> {
        match self.status {
            RowStatus::Ready => None,
            RowStatus::Invalid(_) => Some(Outcome::Invalid),
            RowStatus::Suppressed(_) => Some(Outcome::Suppressed),
        }
    }

    /// The key of a segment: its values joined with `|`, with `\` before a `|` or `\` inside a value.
    pub(super) fn segment_key(&self) -> String {
        let escaped = self.values.iter().map(|value| value.replace('\\', "\\\\").replace('|', "\\|"));
        escaped.collect::<Vec<_>>().join("|")
    }
}

/// Reads input chunks in the order of their numbers; holds the rows of one.
pub(super) struct InputRows<'a> {
    check: &'a Check<'a>,
    kind: ChunkKind,
    next_chunk: u32,
    rows_end: u64,
    is_at_end: bool,
    rows: Vec<PlannedRow>,
}

impl<'a> InputRows<'a> {
    /// Begins before the first chunk.
    pub(super) fn new(check: &'a Check<'a>, kind: ChunkKind) -> Self {
        Self { check, kind, next_chunk: 0, rows_end: 0, is_at_end: false, rows: Vec::new() }
    }

    /// Returns the planned rows of a range that follows the ranges asked for before; fewer where input is damaged.
    pub(super) async fn range(
        &mut self,
        range: (u64, u64),
        problems: &mut Problems,
    ) -> anyhow::Result<Vec<PlannedRow>> {
        while self.rows_end < range.1 && !self.is_at_end {
            if !self.load(problems).await? {
                let missing = self.check.keys.input(self.kind, &ChunkId::whole(self.next_chunk));
                problems.note(format!("{missing} is missing: rows from {} on", self.rows_end));
                self.is_at_end = true;
            }
            self.rows.retain(|row| row.row >= range.0);
        }
        let split = self.rows.partition_point(|row| row.row < range.1);
        let rest = self.rows.split_off(split);
        let mut taken = std::mem::replace(&mut self.rows, rest);
        taken.retain(|row| row.row >= range.0);
        Ok(taken)
    }

    /// Reads what is left and returns how many rows planning cut.
    pub(super) async fn finish(mut self, problems: &mut Problems) -> anyhow::Result<u64> {
        while self.load(problems).await? {
            self.rows.clear();
        }
        let (prefix, mut listed, mut last) = (self.check.keys.input_prefix(self.kind), 0, None);
        loop {
            let page = self.check.store.list(&prefix, last.as_deref()).await?;
            let Some(end) = page.last() else { break };
            listed += page.len();
            last = Some(end.key.clone());
        }
        if listed != self.next_chunk as usize {
            let chunks = self.next_chunk;
            problems.note(format!(
                "{prefix} holds {listed} objects, but only the chunks before {chunks:05} follow each other"
            ));
        }
        Ok(self.rows_end)
    }

    /// Reads the next chunk; false where there is none.
    async fn load(&mut self, problems: &mut Problems) -> anyhow::Result<bool> {
        let chunk = ChunkId::whole(self.next_chunk);
        let key = self.check.keys.input(self.kind, &chunk);
        let Some(object) = self.check.store.get(&key).await? else { return Ok(false) };
        self.next_chunk += 1;
        let before = self.rows.len();
        let begin = self.rows_end;
        match self.decode(&object.body) {
            Err(error) => problems.note(format!("{key}: {error}")),
            Ok(header) => {
                self.rows_end = self.rows_end.max(header.rows.1);
                let rows = &self.rows[before..];
                let expected = header.rows.0..header.rows.1;
                if header.rows.0 != begin
                    || !rows.iter().map(|row| row.row).eq(expected)
                    || header.chunk != chunk
                {
                    problems.note(format!(
                        "{key}: it must be chunk {chunk} with every row from {begin} to {} once",
                        header.rows.1
                    ));
                }
            }
        }
        Ok(true)
    }

    fn decode(&mut self, object: &[u8]) -> Result<ChunkHeader, LineError> {
        let mut reader = LineReader::<PlannedRow>::new(object)?;
        let empty = || LineError { line: 1, reason: "the object is empty".into() };
        let header = reader.read::<ChunkHeader>()?.ok_or_else(empty)?;
        for row in reader {
            let mut row = row?;
            if self.kind == ChunkKind::Messages {
                row.values = Vec::new();
            }
            self.rows.push(row);
        }
        Ok(header)
    }
}

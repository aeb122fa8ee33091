//! Output lines and objects.

use copymill_campaign::{
    Accepted, ChunkResult, InputRow, LineWriter, OutcomeCounts, OutputLine, Reason, SegmentLine, TokenUse,
    sha256_hex,
};
use serde_json::value::RawValue;

use crate::settle::Settled;

/// An output object in the making, counted as it grows.
pub struct OutputObject {
    writer: LineWriter,
    result: ChunkResult,
}

impl OutputObject {
    /// Starts an object whose first line describes it.
    pub fn described(header: &impl serde::Serialize) -> Self {
        let mut object = Self::new((0, 0));
        object.writer.push(header);
        object
    }

    /// Starts an object for the rows from the first to one before the second.
    pub fn new(rows: (u64, u64)) -> Self {
        let result = ChunkResult {
            sha256: String::new(),
            bytes: 0,
            rows,
            outcomes: OutcomeCounts::default(),
            reasons: Default::default(),
            tokens: TokenUse::default(),
        };
        Self { writer: LineWriter::new(), result }
    }

    /// Appends a message. `rendered` is JSON text and goes in as it is.
    pub fn message(&mut self, line: &OutputLine, rendered: Option<&str>) {
        self.result.outcomes.add(line.outcome, 1);
        self.count(&line.reasons, line.tokens);
        let Some(rendered) = rendered else { return self.writer.push(line) };
        // Parsing rendered text only to print it again would cost more than all the rest of a merge.
        let text = serde_json::to_vec(line).expect("an output line serialises");
        let open = text.strip_suffix(b"}").expect("an output line is an object with keys");
        self.writer.push_json(&[open, b",\"rendered\":", rendered.as_bytes(), b"}"]);
    }

    /// Appends the copy of a segment.
    pub fn segment(&mut self, line: &SegmentLine) {
        self.result.outcomes.add(line.outcome, 1);
        self.count(&line.reasons, line.tokens);
        self.writer.push(line);
    }

    /// Returns the object and what it holds.
    pub fn finish(mut self) -> (Vec<u8>, ChunkResult) {
        let object = self.writer.finish();
        self.result.sha256 = sha256_hex(&object);
        self.result.bytes = object.len() as u64;
        (object, self.result)
    }

    fn count(&mut self, reasons: &[Reason], tokens: TokenUse) {
        self.result.tokens += tokens;
        for reason in reasons {
            *self.result.reasons.entry(reason.code.clone()).or_default() += 1;
        }
    }
}

/// The line of a settled message; its rendering is written beside it.
pub fn message_line(
    campaign: &Accepted,
    row: &InputRow,
    variant: u32,
    settled: &Settled,
    now: &str,
) -> OutputLine {
    OutputLine {
        v: 1,
        campaign: campaign.id.clone(),
        row: row.row,
        recipient_id: row.recipient_id.clone(),
        variant,
        outcome: settled.outcome,
        content: settled.copy.as_ref().map(|copy| raw(copy.content_json())),
        rendered: None,
        reasons: settled.reasons.clone(),
        attempt: settled.attempt,
        seed: settled.seed,
        finish_reason: settled.finish_reason.map(str::to_owned),
        tokens: settled.tokens,
        model_sha256: campaign.model.sha256.clone(),
        prompt_sha256: settled.prompt_sha256.clone(),
        suppression: None,
        segment: None,
        generated_at: now.to_owned(),
    }
}

/// The line of a settled segment.
pub fn segment_line(segment: String, variant: u32, settled: Settled, now: &str) -> SegmentLine {
    SegmentLine {
        v: 1,
        segment,
        variant,
        outcome: settled.outcome,
        content: settled.copy.as_ref().map(|copy| raw(copy.content_json())),
        reasons: settled.reasons,
        attempt: settled.attempt,
        seed: settled.seed.unwrap_or_default(),
        finish_reason: settled.finish_reason.unwrap_or_default().to_owned(),
        tokens: settled.tokens,
        prompt_sha256: settled.prompt_sha256.unwrap_or_default(),
        generated_at: now.to_owned(),
    }
}

/// JSON text as a value that is written as it is.
pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("copy keeps its content as valid JSON")
}

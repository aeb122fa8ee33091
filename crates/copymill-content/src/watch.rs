//! Watching an answer while it is written, so that generation ends when a check can no longer pass.

use std::ops::Range;

use crate::{
    checks::{Allowed, Findings, label},
    rules::Rules,
    schema::safety_bound,
};

/// A text in an answer: the field it belongs to, its place in a list, and its bytes between the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    field: usize,
    index: usize,
    range: Range<usize>,
    is_complete: bool,
}

/// Whether an answer can still pass whose first `seen` bytes could; `of_row` is what the row's fields allow to say.
pub(crate) fn can_pass(rules: &Rules, answer: &str, seen: usize, of_row: &Allowed) -> bool {
    let mut findings = Findings::default();
    // A text is judged when the quote arrives that ends it.
    for found in texts(rules, answer).iter().filter(|found| found.range.end >= seen) {
        judge(rules, answer, found, of_row, &mut findings);
    }
    findings.is_empty()
}

/// Notes what is wrong with the texts of an answer that did not come to its end.
pub(crate) fn judge_unfinished(rules: &Rules, answer: &str, of_row: &Allowed, findings: &mut Findings) {
    for found in texts(rules, answer) {
        judge(rules, answer, &found, of_row, findings);
    }
}

fn judge(rules: &Rules, answer: &str, found: &Found, of_row: &Allowed, findings: &mut Findings) {
    let Some((name, field)) = rules.kind.fields.get_index(found.field) else { return };
    let raw = &answer[found.range.clone()];
    // A text that is not over is judged only where it has long been too long.
    if !found.is_complete && raw.chars().count() < safety_bound(field) {
        return;
    }
    let Ok(text) = serde_json::from_str::<String>(&format!("\"{raw}\"")) else { return };
    if !text.trim().is_empty() {
        rules.check_text((&label(name, field, found.index), field), text.trim(), of_row, findings);
    }
}

/// Finds the texts of an answer, which may be unfinished. What is no object of the kind's fields gives none.
fn texts(rules: &Rules, answer: &str) -> Vec<Found> {
    let fields = &rules.kind.fields;
    let mut found = Vec::new();
    let (mut field, mut index) = (None, 0);
    let mut depth = 0_u32;
    let mut at = 0;
    let bytes = answer.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let (range, is_complete) = string(bytes, at + 1);
                at = range.end;
                let is_key =
                    depth == 1 && is_complete && answer[range.end + 1..].trim_start().starts_with(':');
                if is_key {
                    (field, index) = (fields.get_index_of(&answer[range]), 0);
                } else if let Some(field) = field
                    && (depth == 2 || fields[field].items.is_none())
                {
                    found.push(Found { field, index, range, is_complete });
                    index += 1;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The inside of a string that begins at a byte, and whether its end is there.
fn string(bytes: &[u8], from: usize) -> (Range<usize>, bool) {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return (from..at, true),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (from..bytes.len(), false)
}

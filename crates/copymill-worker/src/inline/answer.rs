//! The answer to an inline job, read from its object: the first time and every other time it is the same.

use copymill_campaign::{
    INLINE_ANSWER_BYTES_MAX, InlineAnswer, InlineHeader, LineError, LineReader, Outcome, OutcomeCounts,
    sha256_hex,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Failure, Refusal};

#[derive(Deserialize)]
struct Counted {
    outcome: Outcome,
}

/// What an object says about itself, and the answer that tells it.
pub(super) fn done(key: &str, object: &[u8]) -> Result<(InlineHeader, InlineAnswer), Failure> {
    let damaged = |error: LineError| {
        Refusal::because(format!(
            "the result at {key} is damaged ({error}); restore the object, or remove it"
        ))
    };
    let mut reader = LineReader::<Box<RawValue>>::new(object).map_err(damaged)?;
    let header: InlineHeader = reader
        .read()
        .map_err(damaged)?
        .ok_or_else(|| Refusal::because(format!("the result at {key} is empty")))?;
    let (mut lines, mut bytes, mut outcomes) = (Vec::new(), 0, OutcomeCounts::default());
    for line in reader {
        let line = line.map_err(damaged)?;
        let counted: Counted = serde_json::from_str(line.get())
            .map_err(|_| Refusal::because(format!("a line of the result at {key} has no outcome")))?;
        outcomes.add(counted.outcome, 1);
        bytes += line.get().len();
        if bytes <= INLINE_ANSWER_BYTES_MAX {
            lines.push(line);
        }
    }
    let answer = InlineAnswer::Done {
        v: 1,
        message_id: header.message_id.clone(),
        key: key.to_owned(),
        sha256: sha256_hex(object),
        outcomes,
        lines: (bytes <= INLINE_ANSWER_BYTES_MAX).then_some(lines),
    };
    Ok((header, answer))
}

#[cfg(test)]
mod tests {
    use copymill_campaign::LineWriter;
    use serde_json::{Value, json};

    use super::*;

    fn answer(lines: usize, text: &str) -> Value {
        let mut writer = LineWriter::new();
        writer.push(&json!({ "v": 1, "message_id": "m", "body_sha256": "00", "rows": lines, "variants": 1 }));
        (0..lines).for_each(|row| writer.push(&json!({ "row": row, "outcome": "generated", "text": text })));
        let Ok((_, answer)) = done("inline/x", &writer.finish()) else { panic!("the object is in order") };
        serde_json::to_value(answer).unwrap()
    }

    #[test]
    fn lines_come_along_until_they_are_too_large_and_counts_always() {
        let small = answer(3, "hello");
        assert_eq!(
            (small["status"].as_str(), small["outcomes"]["generated"].as_u64()),
            (Some("done"), Some(3))
        );
        assert_eq!(small["lines"][2]["row"], 2);
        let large = answer(3, &"x".repeat(INLINE_ANSWER_BYTES_MAX / 2));
        assert_eq!(large["outcomes"]["generated"], 3);
        assert_eq!(large.get("lines"), None);
    }

    #[test]
    fn a_damaged_result_is_named_and_never_a_shorter_answer() {
        let mut writer = LineWriter::new();
        writer.push(&json!({ "v": 1, "message_id": "m", "body_sha256": "00", "rows": 1, "variants": 1 }));
        writer.push(&json!({ "outcome": "generated" }));
        let object = writer.finish();
        for end in 0..object.len() {
            assert!(matches!(done("inline/x", &object[..end]), Err(Failure::Refused(_))), "cut at {end}");
        }
    }
}

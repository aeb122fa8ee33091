//! Hints: what the next attempt is told about the last one's failed checks.

use std::{collections::HashMap, sync::LazyLock};

use copymill_campaign::Reason;

/// Clauses of one hint at most: a longer list helps no model.
const CLAUSES: usize = 4;

static CLAUSE: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../prompts/hints.yaml")).expect("the file of hints is tested")
});

/// One line for the prompt; reasons that no writer could mend say nothing.
pub(crate) fn hint(reasons: &[Reason]) -> String {
    let mut clauses: Vec<String> = Vec::new();
    for reason in reasons {
        let Some(clause) = CLAUSE.get(&reason.code) else { continue };
        let field = reason.field.as_deref().unwrap_or("the message");
        let field = field.split('[').next().unwrap_or(field);
        let quoted = reason.message.split('`').nth(1).unwrap_or_default();
        let clause = clause.replace("{field}", field).replace("{phrase}", quoted).replace("{name}", quoted);
        if !clauses.contains(&clause) && clauses.len() < CLAUSES {
            clauses.push(clause);
        }
    }
    clauses.join("; ")
}

/// The words of all hints, one a line: copy that repeats them follows none.
pub(crate) fn words() -> String {
    let place = regex::Regex::new(r"\{\w+\}|\[\[|\]\]").expect("a test uses it");
    CLAUSE.values().map(|clause| place.replace_all(clause, "\n").into_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_field_phrase_and_fact_once() {
        let reason = |code: &str, field: Option<&str>, message: &str| Reason {
            code: code.into(),
            field: field.map(str::to_owned),
            message: message.into(),
            attempt: 1,
        };
        let reasons = [
            reason("too_long", Some("body[0]"), "it has 400 characters"),
            reason("too_long", Some("body[1]"), "it has 500 characters"),
            reason("missing_fact", None, "the message does not hold `code`"),
            reason("banned_phrase", Some("cta"), "it holds `free money`"),
            reason("unsafe_value", None, "nothing to mend"),
        ];
        assert_eq!(hint(&reasons), "make body shorter; use [[code]]; leave out \"free money\"");
    }
}

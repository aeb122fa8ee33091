//! Copy that repeats the instructions instead of following them.

use std::collections::HashSet;

use super::{Findings, codes};
use crate::fold::fold;

/// Words in a row that copy and instructions may share: shorter runs are ordinary English.
const RUN_WORDS: usize = 7;
/// Words from which on a text that is one whole clause of the instructions is an echo.
const CLAUSE_WORDS: usize = 4;

/// The instructions of a prompt, without the campaign's own words.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    runs: HashSet<Vec<String>>,
    clauses: HashSet<Vec<String>>,
}

impl Echo {
    /// Learns instructions; the brief and the facts must not be among them, for copy may quote these.
    pub(crate) fn new(instructions: &[&str]) -> Self {
        let mut echo = Self::default();
        for text in instructions {
            let folded = fold(&text.replace('\n', " ; "));
            let all: Vec<String> = words(&folded).collect();
            echo.runs.extend(all.windows(RUN_WORDS).map(<[String]>::to_vec));
            let clauses = folded.split([',', '.', ';', ':']).map(|clause| words(clause).collect::<Vec<_>>());
            echo.clauses.extend(clauses.filter(|clause| clause.len() >= CLAUSE_WORDS));
        }
        echo
    }

    /// Checks one text.
    pub(crate) fn check(&self, label: &str, text: &str, findings: &mut Findings) {
        let words: Vec<String> = words(&fold(text)).collect();
        if words.windows(RUN_WORDS).any(|run| self.runs.contains(run)) || self.clauses.contains(&words) {
            findings.add(codes::PROMPT_ECHO, Some(label), "the text repeats the instructions of the prompt");
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_recognised_and_ordinary_copy_is_not() {
        let echo = Echo::new(&[
            "Write one e-mail. Answer with one JSON object and nothing else.\n- subject: the point in a few words, at most 50 characters",
        ]);
        let echoes = |text: &str| {
            let mut findings = Findings::default();
            echo.check("subject", text, &mut findings);
            !findings.is_empty()
        };
        assert!(echoes("Answer with one JSON object and nothing else, please"));
        assert!(echoes("The point in a few words"));
        assert!(!echoes("A warm coat in a few words: dry, light, yours"));
        assert!(!echoes("Nothing else comes close"));
    }
}

//! Copy that says the same again, as small models do in a loop.

use std::collections::{HashMap, HashSet};

use super::{Findings, codes};
use crate::fold::fold;

/// Words from which on a sentence that comes again is a repetition; shorter ones may be a style.
const SENTENCE_WORDS: usize = 6;
/// Words that make a run; a run that comes this often in a message is a loop.
const RUN_WORDS: usize = 6;
const RUN_TIMES: usize = 3;
/// Words in a row that are the same: three may be meant ("so, so, so good"), four are not.
const WORD_TIMES: usize = 4;

/// Checks texts as the model wrote them, with a marker for each merge field: facts may come again.
pub(crate) fn check(texts: &[String], findings: &mut Findings) {
    let folded: Vec<String> = texts.iter().map(|text| fold(text)).collect();
    let words_of: Vec<Vec<&str>> = folded.iter().map(|text| words(text).collect()).collect();
    let mut sentences = HashSet::new();
    let mut runs: HashMap<&[&str], usize> = HashMap::new();
    for (folded, all) in folded.iter().zip(&words_of) {
        for sentence in folded.split(['.', '!', '?', '。', '！', '？']) {
            let words: Vec<&str> = words(sentence).collect();
            if words.len() >= SENTENCE_WORDS && !sentences.insert(words) {
                findings.add(codes::REPETITION, None, "a sentence is there twice");
            }
        }
        if all.windows(WORD_TIMES).any(|same| same.iter().all(|word| *word == same[0])) {
            findings.add(codes::REPETITION, None, "a word is there again and again");
        }
        for run in all.windows(RUN_WORDS) {
            let times = runs.entry(run).or_default();
            *times += 1;
            if *times == RUN_TIMES {
                findings.add(
                    codes::REPETITION,
                    None,
                    format!("the words “{}” are there again and again", run.join(" ")),
                );
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let edge = |c: char| !c.is_alphanumeric() && c != crate::names::MARKER;
    text.split(char::is_whitespace).map(move |word| word.trim_matches(edge)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(texts: &[&str]) -> bool {
        let mut findings = Findings::default();
        check(&texts.iter().map(|text| text.to_string()).collect::<Vec<_>>(), &mut findings);
        !findings.is_empty()
    }

    #[test]
    fn loops_are_found_and_style_is_not() {
        assert!(repeats(&["We know the trail as well as you.", "We know the trail as well as you!"]));
        assert!(repeats(&["good good good good"]));
        assert!(repeats(&["to the sea and back again to the sea and back again to the sea and back again"]));
        for fine in [
            &["So, so, so good.", "Small sale. Small sale."][..],
            &["One of a kind, day after day, mile after mile.", "One more mile."],
            &["Take the tent that goes with you.", "Take the boots that go with you."],
        ] {
            assert!(!repeats(fine), "{fine:?}");
        }
    }
}

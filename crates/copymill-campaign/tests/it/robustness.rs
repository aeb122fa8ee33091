//! No text makes the parser panic, hang or point outside the file.

use copymill_campaign::{Problem, check_columns, parse_campaign};
use proptest::prelude::*;

use super::columns;

fn assert_answers(text: &str) {
    let problems: Vec<Problem> = match parse_campaign(text, "campaign.yaml") {
        Err(problems) => problems.into_iter().collect(),
        Ok(parsed) => check_columns(&parsed, &columns()),
    };
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    for problem in problems {
        assert!((1..=lines + 1).contains(&problem.line) && problem.column >= 1, "{problem}");
        assert!(!problem.message.is_empty());
        assert!(!problem.to_string().contains('\n'), "one problem is one line: {problem}");
    }
}

const SIGNS: &str = "[\\-\\[\\]{}:,&*!|>%@`'\"#?~ \n\tabn01._]{0,80}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        assert_answers(&text);
    }

    #[test]
    fn any_mixture_of_yaml_signs_is_answered(text in SIGNS) {
        assert_answers(&text);
    }

    #[test]
    fn any_value_in_the_place_of_another_is_answered(value in SIGNS, line in 0_usize..24) {
        let good = include_str!("../data/good.yaml");
        let replace = |(number, text): (usize, &str)| match text.split_once(": ") {
            Some((key, _)) if number == line => format!("{key}: {value}\n"),
            _ => format!("{text}\n"),
        };
        assert_answers(&good.lines().enumerate().map(replace).collect::<String>());
    }
}

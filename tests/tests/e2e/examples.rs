//! The campaigns in `examples/` run as they are, and what a run says to do next works.

use std::collections::BTreeSet;

use copymill_tests::{Message, Workplace, messages, repository};

/// Of a hundred messages of one campaign, so many are no other with another category, tier or city in it; and so many
/// sentences they are made of.
const DISTINCT: usize = 90;
const SENTENCES: usize = 150;

/// The commands that a run prints at its end.
fn commands(stdout: &str) -> Vec<Vec<String>> {
    let next = stdout.split("Try next:\n").nth(1).expect("a run says what to do next");
    let words = |line: &str| line.split_whitespace().skip(1).map(str::to_owned).collect();
    next.lines().take_while(|line| line.starts_with("  ")).map(words).collect()
}

/// A message's sentences, with a mark for what they say of the row.
fn sentences(message: &Message, values: &[&str]) -> Vec<String> {
    let fields = message.content.as_object().into_iter().flat_map(|fields| fields.values());
    let texts = fields.flat_map(|field| field.as_array().cloned().unwrap_or_else(|| vec![field.clone()]));
    let marked = |text: String| values.iter().fold(text, |text, value| text.replace(value, "…"));
    let texts = texts.map(|text| marked(text.as_str().unwrap_or_default().to_lowercase()));
    texts
        .flat_map(|text| {
            text.split_inclusive(['.', '?', '!']).map(|one| one.trim().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_hundred_messages_of_one_campaign_are_not_a_few_sentences_shuffled() {
    let place = Workplace::new("", "");
    let example = repository().join("examples/spring-sale");
    let recipients = std::fs::read_to_string(example.join("recipients.csv")).unwrap();
    place.write("campaign.yaml", std::fs::read(example.join("campaign.yaml")).unwrap());
    place.write(
        "recipients.csv",
        recipients.lines().take(101).map(|line| format!("{line}\n")).collect::<String>(),
    );
    place.edit_campaign("variants: 2", "variants: 1");
    place.copymill(&["run", "campaign.yaml", "--output", "out/"]).success();
    let rows: Vec<Vec<String>> = recipients
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',').map(|value| value.to_lowercase().trim_end_matches('s').to_owned()).collect()
        })
        .collect();
    let copies: Vec<Vec<String>> = messages(&place.path("out"))
        .iter()
        .map(|message| {
            let row = &rows[usize::try_from(message.line.row).unwrap()];
            let values = row.iter().map(String::as_str).filter(|value| value.len() > 2);
            sentences(message, &values.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(copies.len(), 100);
    let distinct = copies.iter().collect::<BTreeSet<_>>().len();
    let of_them = copies.iter().flatten().collect::<BTreeSet<_>>().len();
    assert!(distinct >= DISTINCT && of_them >= SENTENCES, "{distinct} messages, {of_them} sentences");
}

#[test]
fn every_example_runs_to_its_end_and_its_next_commands_work_as_printed() {
    for example in ["spring-sale", "search-ads", "social-posts"] {
        let place = Workplace::new("", "");
        let folder = repository().join("examples").join(example);
        for file in
            std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file())
        {
            let name = file.file_name().into_string().unwrap();
            place.write(&format!("{example}/{name}"), std::fs::read(file.path()).unwrap());
        }
        let campaign = format!("{example}/campaign.yaml");
        let run = place.copymill(&["run", &campaign, "--output", "elsewhere/"]).success();
        assert!(run.stdout.contains(" generated (") && run.stdout.contains("elsewhere/"), "{}", run.stdout);
        assert!(place.path("elsewhere/report.html").is_file());
        let next = commands(&run.stdout);
        assert_eq!(next.len(), 3, "{}", run.stdout);
        for command in &next {
            let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            let done = place.copymill(&arguments).success();
            assert!(!done.stdout.is_empty(), "{arguments:?}");
        }
        place.copymill(&["report", "elsewhere/"]).success();
    }
}

#[test]
fn kinds_and_schemas_are_printed_whole() {
    let place = Workplace::new("", "");
    let listed = place.copymill(&["kinds"]).success().stdout;
    for kind in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let file = place.copymill(&["kinds", kind]).success().stdout;
        assert!(file.contains(&format!("kind: {kind}")), "{file}");
    }
    for schema in ["campaign", "inline-job"] {
        let printed = place.copymill(&["schema", schema]).success().stdout;
        assert!(serde_json::from_str::<serde_json::Value>(&printed).unwrap()["properties"].is_object());
    }
}

//! A campaign runs: every message ends in one outcome, and the files prove it.

use std::collections::BTreeSet;

use copymill_campaign::Outcome;
use copymill_tests::{Workplace, messages};

use crate::campaigns::{EMAIL, recipients};

#[test]
fn every_recipient_gets_every_variant_and_the_output_verifies() {
    let place = Workplace::new(EMAIL, recipients(20));
    let run = place.copymill(&["run", "campaign.yaml"]).success();
    let messages = messages(&place.path("out"));
    let pairs: Vec<_> = messages.iter().map(|message| (message.line.row, message.line.variant)).collect();
    let expected: Vec<_> = (0..20).flat_map(|row| [(row, 0), (row, 1)]).collect();
    assert_eq!(pairs, expected, "each (row, variant) once and in order");
    let generated = messages.iter().filter(|message| message.line.outcome == Outcome::Generated).count();
    assert!(generated >= 32, "{generated} of 40 were generated:\n{}", run.stderr);
    for message in messages.iter().filter(|message| message.line.outcome == Outcome::Generated) {
        let (html, text) =
            (message.rendered["html"].as_str().unwrap(), message.rendered["text"].as_str().unwrap());
        assert!(
            html.contains("https://northwind.example/spring")
                && text.contains("https://northwind.example/spring")
        );
        assert!(
            format!("{}", message.rendered).contains("SPRING20"),
            "must_use holds in {}",
            message.rendered
        );
        assert!(
            !html.contains("[[") && !text.contains("[["),
            "a merge field was left in row {}",
            message.line.row
        );
    }
    for file in ["manifest.json", "_SUCCESS", "report.html", "campaign.json", "state.json"] {
        assert!(place.path("out").join(file).is_file(), "{file} is missing");
    }
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_finished_campaign_is_not_done_again() {
    let place = Workplace::new(EMAIL, recipients(4));
    place.copymill(&["run", "campaign.yaml"]).success();
    let manifest = std::fs::read(place.path("out/manifest.json")).unwrap();
    place.copymill(&["run", "campaign.yaml"]).success();
    assert_eq!(std::fs::read(place.path("out/manifest.json")).unwrap(), manifest);
}

#[test]
fn one_slot_repeats_its_texts() {
    let texts: Vec<Vec<String>> = (0..2)
        .map(|_| {
            let place = Workplace::new(EMAIL, recipients(4));
            place.copymill(&["run", "campaign.yaml", "--slots", "1"]).success();
            messages(&place.path("out")).iter().map(|message| message.content.to_string()).collect()
        })
        .collect();
    assert_eq!(texts[0], texts[1]);
    let distinct: BTreeSet<_> = texts[0].iter().collect();
    assert!(distinct.len() > 4, "variants and rows differ: {distinct:?}");
}

#[test]
fn more_variants_than_slots_are_written_too() {
    let place = Workplace::new(EMAIL, recipients(2));
    place.edit_campaign("variants: 2", "variants: 5");
    place.copymill(&["run", "campaign.yaml", "--slots", "1"]).success();
    assert_eq!(messages(&place.path("out")).len(), 10);
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn what_changed_since_is_listed_and_fresh_starts_again() {
    let place = Workplace::new(EMAIL, recipients(3));
    place.copymill(&["run", "campaign.yaml"]).success();
    place.edit_campaign("seed: 7", "seed: 8");
    place.write("recipients.csv", recipients(4));
    let says = ["sampling.seed", "recipients.csv changed", "--fresh", "--output"];
    place.copymill(&["run", "campaign.yaml"]).fails(64, &says);
    place.write("out/notes.txt", "mine");
    place.copymill(&["run", "campaign.yaml", "--fresh"]).success();
    assert_eq!(messages(&place.path("out")).len(), 8);
    assert!(place.path("out/notes.txt").exists(), "a file that is not ours was removed");
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn verify_names_what_was_altered() {
    let place = Workplace::new(EMAIL, recipients(3));
    place.copymill(&["run", "campaign.yaml"]).success();
    let object = place.path("out/output/00000.jsonl.zst");
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let verdict = place.copymill(&["verify", "out/"]);
    assert_eq!(verdict.code, Some(1));
    assert!(
        format!("{}{}", verdict.stdout, verdict.stderr).contains("output/00000.jsonl.zst"),
        "{verdict:?}"
    );
}

#[test]
fn the_first_steps_of_a_new_user_work() {
    let place = Workplace::new("", recipients(6));
    std::fs::remove_file(place.path("campaign.yaml")).unwrap();
    place.copymill(&["init", "recipients.csv"]).success();
    place.copymill(&["validate", "campaign.yaml"]).success();
    place.copymill(&["preview", "campaign.yaml", "-n", "1"]).success();
    place.copymill(&["init", "recipients.csv"]).fails(64, &["campaign.yaml"]);
}

#[test]
fn generate_writes_as_many_texts_as_asked_for_in_valid_utf8() {
    let place = Workplace::new("", "");
    for prompt in ["Intelligent marketing strategy", "智能营销策略"] {
        let run = place.copymill(&["generate", prompt, "--max-tokens", "20", "-n", "5"]).success();
        let number = |line: &str| line.strip_prefix('[')?.split(']').next()?.parse::<u32>().ok();
        let numbers: Vec<u32> = run.stdout.lines().filter_map(number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5], "{}", run.stdout);
    }
}

//! Every bad file in `data/bad` gives exactly the lines beside it.

use std::fs;

use copymill_campaign::{Inspection, Problems, check_columns, inspect_campaign, parse_campaign};

use super::{assert_golden, columns, data};

fn problems(text: &str) -> String {
    let Inspection { parsed, mut problems } = inspect_campaign(text, "campaign.yaml");
    problems.extend(parsed.iter().flat_map(|parsed| check_columns(parsed, &columns())));
    Problems::new(problems).to_string()
}

#[test]
fn bad_files_are_told_everything_that_is_wrong_with_them() {
    let mut files: Vec<_> = fs::read_dir(data("bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    for path in files {
        let found = problems(&fs::read_to_string(&path).unwrap());
        assert!(!found.is_empty(), "{} is not bad", path.display());
        assert_golden(&path.with_extension("errors"), &format!("{found}\n"));
    }
}

#[test]
fn the_good_file_has_no_problems_and_knows_its_positions() {
    let text = fs::read_to_string(data("good.yaml")).unwrap();
    assert_eq!(problems(&text), "");
    let parsed = parse_campaign(&text, "campaign.yaml").unwrap();
    assert_eq!(parsed.position("audience.fields[1]"), (8, 27));
    assert_eq!(parsed.position("audience"), (5, 1), "what goes over lines is where its key is");
    assert_eq!(parsed.position("facts.code"), (13, 82));
    assert_eq!(
        parsed.position("sampling.top_k"),
        (16, 11),
        "a key that is not there is where the one above is"
    );
    assert_eq!(parsed.position("model_sha256"), (1, 1));
    let problem =
        parsed.problem("prompt", "the file prompt.j2 does not exist; write it, or leave the key out");
    assert_eq!(
        problem.to_string(),
        "campaign.yaml:14:9: prompt: the file prompt.j2 does not exist; write it, or leave the key out"
    );
    assert_eq!(parsed.file.facts["discount"], "20%");
    assert_eq!(parsed.file.merge_fields(&columns()), ["first_name"]);
}

#[test]
fn without_merge_every_other_column_that_can_be_placed_is_one() {
    let text = fs::read_to_string(data("good.yaml")).unwrap().replace("  merge: [first_name]\n", "");
    let parsed = parse_campaign(&text, "campaign.yaml").unwrap();
    assert_eq!(parsed.file.merge_fields(&columns()), ["first_name", "points"]);
    assert!(check_columns(&parsed, &columns()).is_empty());
    let with_address = text.replace("  id: customer_id\n", "  id: customer_id\n  email: points\n");
    let parsed = parse_campaign(&with_address, "campaign.yaml").unwrap();
    assert_eq!(parsed.file.merge_fields(&columns()), ["first_name"], "an address is never placed");
}

#[test]
fn windows_line_endings_and_a_byte_order_mark_change_nothing() {
    let text = fs::read_to_string(data("good.yaml")).unwrap();
    let good = parse_campaign(&text, "campaign.yaml").unwrap();
    for other in [format!("\u{feff}{text}"), text.replace('\n', "\r\n")] {
        let parsed = parse_campaign(&other, "campaign.yaml").unwrap();
        assert_eq!(parsed.file, good.file);
        assert_eq!(parsed.position("audience.fields[1]"), (8, 27));
    }
}

#[test]
fn files_that_are_too_large_or_too_deep_are_refused_before_they_cost_memory() {
    let large = format!("campaign: {}\n", "x".repeat(1024 * 1024));
    assert_eq!(
        problems(&large),
        "campaign.yaml:1:1: the file has 1048587 bytes; a campaign file has at most 1048576"
    );
    for levels in [20, 100_000] {
        let deep = problems(&format!("facts: {}", "[".repeat(levels)));
        assert!(deep.contains("nested too deeply"), "{deep}");
    }
    let bomb =
        format!("a: &a [x, x, x]\nb: &b [{0}]\nc: [{1}]\n", "*a, ".repeat(1_000), "*b, ".repeat(1_000));
    assert!(problems(&bomb).contains("aliases such as `*name` are not read here"));
}

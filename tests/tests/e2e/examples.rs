//! The campaigns in `examples/` run as they are, and what a run says to do next works.

use copymill_tests::{Workplace, repository};

/// The commands that a run prints at its end.
fn commands(stdout: &str) -> Vec<Vec<String>> {
    let next = stdout.split("Try next:\n").nth(1).expect("a run says what to do next");
    let words = |line: &str| line.split_whitespace().skip(1).map(str::to_owned).collect();
    next.lines().take_while(|line| line.starts_with("  ")).map(words).collect()
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

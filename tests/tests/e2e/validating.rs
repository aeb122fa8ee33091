//! What a user learns before anything is generated, and what the exit code says after.

use copymill_tests::{Workplace, repository};

use crate::campaigns::{EMAIL, recipients};

#[test]
fn rows_without_a_value_that_copy_may_place_are_counted_before_the_run() {
    let place = Workplace::new(EMAIL, recipients(20));
    let quiet = place.copymill(&["validate", "campaign.yaml"]).success();
    assert!(!quiet.stderr.contains("warning"), "a default stands in: {}", quiet.stderr);
    place.edit_campaign("  defaults: { first_name: there }\n", "");
    let says = "audience.defaults: 3 rows have no first_name, the first in line 6 of the audience, and there is no default";
    // Who lists it means it.
    place
        .copymill(&["validate", "campaign.yaml"])
        .fails(64, &["1 problem in campaign.yaml", "campaign.yaml:4:1: ", says]);
    place.copymill(&["run", "campaign.yaml"]).fails(64, &[says]);
    assert!(!place.path("out").exists(), "nothing was begun");
    place.edit_campaign("  merge: [first_name]\n", "");
    let warned = place.copymill(&["validate", "campaign.yaml"]).success().stderr;
    assert!(warned.contains("campaign.yaml:4:1: ") && warned.contains(says), "{warned}");
}

#[test]
fn a_model_whose_tokens_nobody_here_can_count_has_an_estimate_that_says_so() {
    let place = Workplace::new(EMAIL, recipients(2));
    let counted = place.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(!counted.contains("estimated"), "{counted}");
    let mut model = std::fs::read(repository().join("examples/demo-model/demo.gguf")).unwrap();
    let key = b"tokenizer.ggml.model";
    let at = model.windows(key.len()).position(|bytes| bytes == key).unwrap();
    // After the key: the type and the length of the value.
    let value = at + key.len() + 4 + 8;
    assert_eq!(&model[value..value + 4], b"gpt2");
    model[value..value + 4].copy_from_slice(b"some");
    place.write("some.gguf", model);
    place.edit_campaign("model: demo", "model: some.gguf");
    let estimated = place.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(
        estimated.contains("about ") && estimated.contains("(estimated) in the first prompt"),
        "{estimated}"
    );
}

#[test]
fn a_run_that_generates_nothing_fails_and_a_finished_one_is_only_reported() {
    let place = Workplace::new(EMAIL, "id,first_name,last_category,tier\nc-1,Ada\nc-2,Bob\n");
    let run = place.copymill(&["run", "campaign.yaml"]).fails(1, &["not one message was generated"]);
    assert!(run.stdout.contains("invalid") || run.stderr.contains("invalid"), "{run:?}");
    let again = place.copymill(&["run", "campaign.yaml"]).success();
    assert!(again.stderr.contains("finished already"), "{}", again.stderr);
    assert!(again.stdout.contains("invalid") || again.stderr.contains("invalid"), "{again:?}");
    place.copymill(&["verify", "out/"]).success();
}

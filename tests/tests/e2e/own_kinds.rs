//! A kind of one's own beside the campaign, with a prompt of one's own.

use copymill_campaign::Outcome;
use copymill_tests::{Workplace, messages};

use crate::campaigns::{EMAIL, recipients};

const KIND: &str = r#"kind: postcard
version: 1
description: A postcard of one text.
task: Write one short text for a postcard.
render: text
layout: "{line} {code}"
limit: { max: 400 }
needs: [code]
fields:
  line: { ask: "one or two sentences", max: 300 }
"#;

const PROMPT: &str =
    "You write postcards for {{ brief.brand }}.\n---\nFor a friend of {{ recipient.last_category }}.\n";

fn place() -> Workplace {
    let place = Workplace::new(EMAIL, recipients(6));
    place.edit_campaign(
        "kind: email",
        "kind: postcard\nprompt: postcard.j2\nfallback: { line: \"Come and see us\" }",
    );
    std::fs::create_dir(place.path("kinds")).expect("the folder is new");
    place.write("kinds/postcard.yaml", KIND);
    place.write("postcard.j2", PROMPT);
    place
}

#[test]
fn a_kind_and_a_prompt_of_ones_own_are_used_as_built_in_ones_are() {
    let place = place();
    place.copymill(&["validate", "campaign.yaml"]).success();
    // The demo model never learnt postcards: where it generated not one, the fallback stands, and the run says so with 1.
    let run = place.copymill(&["run", "campaign.yaml"]);
    assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
    let messages = messages(&place.path("out"));
    assert_eq!(messages.len(), 12);
    for message in &messages {
        assert!(matches!(message.line.outcome, Outcome::Generated | Outcome::Fallback));
        let text = message.rendered["text"].as_str().unwrap_or_default();
        assert!(text.ends_with(" SPRING20"), "must_use holds by the layout: {text}");
    }
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_name_in_a_layout_that_is_nothing_is_an_error_with_what_was_meant() {
    let place = place();
    place.write("kinds/postcard.yaml", KIND.replace("{line}", "{lne}"));
    let says = ["kinds/postcard.yaml", "layout: `lne` is no field", "did you mean `line`?"];
    place.copymill(&["validate", "campaign.yaml"]).fails(64, &says);
}

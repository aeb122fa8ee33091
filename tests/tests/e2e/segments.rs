//! Segments: copy is generated once per segment and merged per row.

use std::collections::BTreeMap;

use copymill_campaign::Outcome;
use copymill_tests::{Workplace, messages, segment_lines};

use crate::campaigns::{EMAIL, recipients};

#[test]
fn rows_of_a_segment_share_their_copy_and_nothing_else() {
    let place = Workplace::new(EMAIL, recipients(48));
    place.edit_campaign("variants: 2", "  segment_by: [last_category, tier]\nvariants: 2");
    place.copymill(&["run", "campaign.yaml"]).success();
    assert_eq!(segment_lines(&place.path("out")).len(), 12 * 2, "twelve segments, two variants");
    let messages = messages(&place.path("out"));
    assert_eq!(messages.len(), 96);
    let mut copies: BTreeMap<_, String> = BTreeMap::new();
    for message in messages.iter().filter(|message| message.line.outcome == Outcome::Generated) {
        let key = (message.line.segment.clone().unwrap(), message.line.variant);
        let content = message.content.to_string();
        assert_eq!(copies.entry(key).or_insert_with(|| content.clone()), &content);
        assert!(!message.rendered.to_string().contains("[["), "row {} is not filled in", message.line.row);
    }
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_segment_campaign_goes_on_from_its_objects_alone() {
    let place = Workplace::new(EMAIL, recipients(48));
    place.edit_campaign("variants: 2", "  segment_by: [last_category, tier]\nvariants: 2");
    place.copymill(&["run", "campaign.yaml"]).success();
    let chunks = std::fs::read_dir(place.path("out/segments/output")).unwrap().count();
    assert!(chunks > 1, "one chunk of segments proves nothing");
    let manifest = |key: &str| {
        let text = std::fs::read_to_string(place.path("out/manifest.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[key].clone()
    };
    let (objects, totals) = (manifest("objects"), manifest("totals"));
    for name in ["manifest.json", "_SUCCESS", "state.json", "output/00000.jsonl.zst"] {
        std::fs::remove_file(place.path("out").join(name)).unwrap();
    }
    place.copymill(&["run", "campaign.yaml"]).success();
    assert_eq!(manifest("totals"), totals);
    let rows = |objects: &serde_json::Value| -> Vec<serde_json::Value> {
        objects.as_array().unwrap().iter().map(|object| object["rows"].clone()).collect()
    };
    assert_eq!(rows(&manifest("objects")), rows(&objects));
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_row_whose_values_stand_in_the_way_is_settled_alone_in_a_run_and_in_a_preview() {
    let long = "x".repeat(400);
    let audience = format!(
        "id,first_name,last_category,tier\n1,Ada,tents,gold\n2,{long},tents,gold\n3,Zoë,tents,gold\n"
    );
    let place = Workplace::new(EMAIL, audience);
    place.edit_campaign("variants: 2", "  segment_by: [last_category, tier]\nvariants: 1");
    place.edit_campaign("must_use: [code]", "must_use: [code, first_name]");
    let preview = place.copymill(&["preview", "campaign.yaml", "-n", "3"]).success().stdout;
    assert!(preview.contains("2 of 3 messages passed every check"), "{preview}");
    place.copymill(&["run", "campaign.yaml"]).success();
    let messages = messages(&place.path("out"));
    let outcomes: Vec<Outcome> = messages.iter().map(|message| message.line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Generated, Outcome::Invalid, Outcome::Generated]);
    assert_eq!(messages[1].line.reasons[0].code, "value_too_long");
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_fallback_stands_in_for_the_rows_alone_whose_values_cannot_be_filled_in() {
    let long = "x".repeat(130);
    let mut audience = "id,first_name,last_category,tier\n".to_owned();
    for (segment, values) in ["tents,gold", "boots,silver", "backpacks,none"].into_iter().enumerate() {
        for (place, name) in ["Ada", long.as_str(), "", "Zoë"].into_iter().enumerate() {
            audience.push_str(&format!("c-{segment}{place},{name},{values}\n"));
        }
    }
    let place = Workplace::new(EMAIL, audience);
    place.edit_campaign("  defaults: { first_name: there }\n", "  segment_by: [last_category, tier]\n");
    let fallback = "fallback: { subject: News, preheader: Have a look, headline: Hello, body: [\"Use [[code]].\", \"See you.\"], cta: See it }";
    place.edit_campaign("output: out/", &format!("{fallback}\noutput: out/"));
    place.copymill(&["run", "campaign.yaml"]).success();
    let messages = messages(&place.path("out"));
    let mut fallbacks = 0;
    for (number, message) in messages.iter().enumerate() {
        // Two messages a row, four rows a segment; the segment's first row has a name that fits.
        let places_name =
            messages[number / 8 * 8 + number % 2].content.to_string().contains("[[first_name]]");
        let fits = matches!(number / 2 % 4, 0 | 3) || !places_name;
        let expected = if fits { Outcome::Generated } else { Outcome::Fallback };
        assert_eq!(message.line.outcome, expected, "row {}: {:?}", message.line.row, message.line.reasons);
        if !fits {
            assert_eq!(message.rendered["subject"], "News");
            let code = if number / 2 % 4 == 1 { "value_too_long" } else { "empty_merge_field" };
            assert!(
                message.line.reasons.iter().any(|reason| reason.code == code),
                "{:?}",
                message.line.reasons
            );
            fallbacks += 1;
        }
    }
    assert!(fallbacks > 0, "no copy placed the name");
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn with_too_many_segments_a_campaign_generates_per_row_and_says_so() {
    // Rows with one id: one is written to, and all of them have segments.
    let rows: String = (0..=10_000).map(|row| format!("c-1,Ada,tents,tier {row}\n")).collect();
    let place = Workplace::new(EMAIL, format!("id,first_name,last_category,tier\n{rows}"));
    place.edit_campaign("variants: 2", "  segment_by: [tier]\nvariants: 1");
    let says = "segment_by gives more than 10,000 copies of segments";
    let run = place.copymill(&["run", "campaign.yaml"]);
    assert!(run.stderr.contains(says), "{}", run.stderr);
    assert!(!place.path("out/segments").exists(), "copy was generated for segments");
    let messages = messages(&place.path("out"));
    assert_eq!(messages.len(), 10_001);
    assert!(messages.iter().all(|message| message.line.segment.is_none()));
    assert!(messages[0].line.attempt > 0, "the first row was generated for");
    place.copymill(&["verify", "out/"]).success();
}

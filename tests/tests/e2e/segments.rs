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

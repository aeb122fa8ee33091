//! Every way in which a folder can be wrong that users meet, one row of a table each.

use super::sample::{Sample, Written, write};
use super::{Standing, verify};
use copymill_campaign::LineWriter;
use copymill_store::Store;
use serde_json::json;

const MESSAGES: Sample = Sample { rows: 20, rows_per_chunk: 8, segmented: false, has_fallback: false };
const SEGMENTS: Sample = Sample { rows: 20, rows_per_chunk: 8, segmented: true, has_fallback: false };
const OBJECT: &str = "output/00001.jsonl.zst";

async fn problems(written: &Written) -> Vec<String> {
    let verdict = verify(&written.store, &written.keys).await.unwrap();
    assert!(!verdict.is_verified(), "{verdict}");
    verdict.problems.first
}

fn assert_named(problems: &[String], name: &str, expected: &str) {
    assert!(
        problems.iter().any(|problem| problem.contains(expected)),
        "{name}: no `{expected}` in {problems:#?}"
    );
}

#[tokio::test]
async fn a_folder_that_is_as_it_was_written_is_verified() {
    for sample in
        [MESSAGES, SEGMENTS, Sample { has_fallback: true, rows: 400, rows_per_chunk: 37, ..MESSAGES }]
    {
        let written = write(&sample).await;
        let verdict = verify(&written.store, &written.keys).await.unwrap();
        assert!(verdict.is_verified(), "{verdict}");
        assert_eq!((verdict.rows, verdict.messages), (sample.rows, 2 * sample.rows));
        let expected = format!("verified: {} messages of {} recipients in ", 2 * sample.rows, sample.rows);
        assert!(verdict.to_string().starts_with(&expected), "{verdict}");
    }
}

/// Changes of an object's lines, and what must be said about them even where the manifest vouches for the object.
#[tokio::test]
async fn every_change_of_lines_is_found_and_named() {
    type Change = fn(&mut Vec<serde_json::Value>);
    let table: [(&str, Change, &str); 14] = [
        (
            "missing",
            |lines| drop(lines.remove(3)),
            "line 4: row 9, variant 1 has no line before row 10, variant 0",
        ),
        ("missing at the end", |lines| drop(lines.pop()), "row 15, variant 1 has no line at its end"),
        ("all missing", |lines| lines.clear(), "16 messages from row 8, variant 0 on have no line"),
        ("double", |lines| lines.insert(3, lines[2].clone()), "line 4: row 9, variant 0 is there twice"),
        ("swapped rows", |lines| lines.swap(2, 4), "line 5: row 9, variant 0 is there twice or out of order"),
        ("foreign row", |lines| lines[0]["row"] = json!(3), "line 1: row 3, variant 0 does not belong"),
        (
            "foreign variant",
            |lines| lines[0]["variant"] = json!(7),
            "line 1: row 8, variant 7 does not belong",
        ),
        (
            "other campaign",
            |lines| lines[1]["campaign"] = json!("x"),
            "line 2: row 8, variant 1: it is of another",
        ),
        (
            "other model",
            |lines| lines[1]["model_sha256"] = json!("x"),
            "row 8, variant 1: it names another model",
        ),
        ("no content", |lines| lines[1]["content"] = json!(null), "row 8, variant 1: content must be there"),
        (
            "empty rendering",
            |lines| lines[1]["rendered"] = json!({}),
            "row 8, variant 1: rendered must be there",
        ),
        (
            "other recipient",
            |lines| lines[5]["recipient_id"] = json!("c-1"),
            "line 6: row 10, variant 1: its recipient",
        ),
        ("other seed", |lines| lines[5]["seed"] = json!(1), "row 10, variant 1: its seed"),
        (
            "other outcome",
            |lines| lines[5]["outcome"] = json!("rejected"),
            "holds 1 rejected, but the manifest names 0",
        ),
    ];
    for (name, change, expected) in table {
        for vouched in [false, true] {
            let written = write(&MESSAGES).await;
            written.rewrite(OBJECT, vouched, change).await;
            let problems = problems(&written).await;
            assert_named(&problems, name, expected);
            assert_named(&problems, name, OBJECT);
            let is_hash_named = problems.iter().any(|p| p.contains("SHA-256") || p.contains("bytes, but"));
            assert_eq!(is_hash_named, !vouched, "{name}: {problems:#?}");
        }
    }
}

#[tokio::test]
async fn damaged_missing_and_extra_objects_are_named() {
    let written = write(&MESSAGES).await;
    let original = written.get(OBJECT).await.to_vec();

    let mut altered = original.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    written.put(OBJECT, altered).await;
    assert_named(&problems(&written).await, "altered byte", &format!("{OBJECT} was altered"));

    written.put(OBJECT, original[..original.len() - 9].to_vec()).await;
    let found = problems(&written).await;
    assert_named(&found, "cut", &format!("{OBJECT} has {} bytes", original.len() - 9));
    assert_named(&found, "cut", "cannot be read");

    written.store.delete(OBJECT).await.unwrap();
    assert_named(&problems(&written).await, "missing", &format!("{OBJECT} is missing: rows 8 to 15"));

    written.put(OBJECT, original).await;
    written.put("output/00009.jsonl.zst", LineWriter::new().finish()).await;
    assert_named(&problems(&written).await, "extra", "output/00009.jsonl.zst is not named by the manifest");
    written.store.delete("output/00009.jsonl.zst").await.unwrap();
    assert!(verify(&written.store, &written.keys).await.unwrap().is_verified());
}

#[tokio::test]
async fn what_workers_finish_after_a_campaign_was_ended_does_not_count_and_is_no_problem() {
    let written = write(&MESSAGES).await;
    written.put("output/00009.jsonl.zst", LineWriter::new().finish()).await;
    written.remanifest(|manifest| manifest.state = copymill_campaign::CampaignPhase::Cancelled).await;
    let verdict = verify(&written.store, &written.keys).await.unwrap();
    assert!(verdict.is_verified(), "{verdict}");
    assert!(verdict.to_string().contains("1 object came after its end"), "{verdict}");
}

#[tokio::test]
async fn a_manifest_that_does_not_fit_its_objects_is_named() {
    type Change = fn(&mut copymill_campaign::Manifest);
    let table: [(Change, &str); 9] = [
        (|m| m.totals.outcomes.generated -= 1, "totals.outcomes.generated"),
        (|m| m.totals.tokens.forced += 1, "totals.tokens.forced"),
        (|m| m.totals.reasons.extend([("too_long".into(), 99)]), "totals.reasons.too_long is 99"),
        (|m| m.rows = 21, "rows is 21, but the objects hold 20"),
        (|m| m.totals.unfinished = 2, "totals.unfinished is 2"),
        (
            |m| m.objects[1].outcomes.generated += 1,
            "output/00001.jsonl.zst holds 16 generated, but the manifest",
        ),
        (|m| m.objects[1].rows.0 = 7, "output/00001.jsonl.zst begins with row 7, but row 8 is next"),
        (|m| drop(m.objects.remove(1)), "output/00002.jsonl.zst begins with row 16, but row 8 is next"),
        (
            |m| m.campaign_sha256 = "x".into(),
            "manifest.json names another campaign_sha256 than campaign.json",
        ),
    ];
    for (change, expected) in table {
        let written = write(&MESSAGES).await;
        written.remanifest(change).await;
        assert_named(&problems(&written).await, expected, expected);
    }
}

#[tokio::test]
async fn a_changed_manifest_and_a_missing_success_are_named() {
    let written = write(&MESSAGES).await;
    let body = String::from_utf8(written.get("manifest.json").await.to_vec()).unwrap();
    written.put("manifest.json", body.replace("\"generated\": 16", "\"generated\": 15")).await;
    assert_named(&problems(&written).await, "changed", "_SUCCESS does not fit manifest.json");
    written.store.delete("_SUCCESS").await.unwrap();
    assert_named(&problems(&written).await, "missing", "_SUCCESS is missing");
}

#[tokio::test]
async fn segments_are_recounted_like_messages() {
    let written = write(&SEGMENTS).await;
    let key = "segments/output/00000.jsonl.zst";
    written.rewrite(key, true, |lines| drop(lines.remove(1))).await;
    assert_named(&problems(&written).await, "missing", "line 2: row 0, variant 1 has no line");
    written.rewrite(key, true, |lines| lines[1]["segment"] = json!("kayaks")).await;
    assert_named(
        &problems(&written).await,
        "foreign",
        "line 2: its segment is not one of this chunk's input",
    );
    written.store.delete(key).await.unwrap();
    assert_named(&problems(&written).await, "missing object", "segments/output/00000.jsonl.zst is missing");
}

#[tokio::test]
async fn rows_that_planning_cut_have_their_lines() {
    let written = write(&MESSAGES).await;
    written.rewrite("input/00001.jsonl.zst", false, |lines| drop(lines.remove(2))).await;
    assert_named(&problems(&written).await, "row", "row 9, variant 0: input has no such row");
    written.store.delete("input/00001.jsonl.zst").await.unwrap();
    let found = problems(&written).await;
    assert_named(&found, "gap", "input/ holds 2 objects, but only the chunks before 00001 follow each other");
    assert_named(&found, "chunk", "input/00001.jsonl.zst is missing: rows from 8 on");
}

#[tokio::test]
async fn an_unfinished_campaign_says_what_is_there() {
    let written = write(&MESSAGES).await;
    for key in ["manifest.json", "_SUCCESS", "output/00002.jsonl.zst"] {
        written.store.delete(key).await.unwrap();
    }
    let verdict = verify(&written.store, &written.keys).await.unwrap();
    assert!(!verdict.is_verified());
    assert_eq!(verdict.standing, Standing::Unfinished { chunks_done: 2, chunks_cut: 3 });
    let text = verdict.to_string();
    let expected =
        "not finished: 2 of 3 chunks that are cut so far are done, with 32 messages of 16 recipients\n";
    assert!(text.starts_with(expected), "{text}");
    written.store.delete("campaign.json").await.unwrap();
    assert_named(&problems(&written).await, "none", "there is no campaign in the folder");
}

#[tokio::test]
async fn of_very_many_problems_the_first_are_shown_and_the_rest_counted() {
    let written = write(&Sample { rows: 60, rows_per_chunk: 60, ..MESSAGES }).await;
    let spoil = |lines: &mut Vec<serde_json::Value>| lines.iter_mut().for_each(|line| line["v"] = json!(2));
    written.rewrite("output/00000.jsonl.zst", true, spoil).await;
    let verdict = verify(&written.store, &written.keys).await.unwrap();
    assert_eq!((verdict.problems.first.len(), verdict.problems.count), (20, 120));
    assert!(verdict.to_string().ends_with("\n  … and 100 more"), "{verdict}");
}

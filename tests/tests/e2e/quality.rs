//! What the demo model promises on brands and products it has never seen.

use std::{collections::BTreeMap, fs};

use copymill_campaign::Outcome;
use copymill_tests::{Message, Workplace, messages, repository};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Share of messages that pass every check at the first attempt, and within three.
const FIRST_ATTEMPT: f64 = 0.90;
const THREE_ATTEMPTS: f64 = 0.99;

#[derive(Deserialize)]
struct HeldOut {
    campaigns: Vec<Campaign>,
}

#[derive(Deserialize)]
struct Campaign {
    kind: String,
    language: String,
    brief: Map<String, Value>,
    facts: Map<String, Value>,
    merge: Vec<String>,
    must_use: Vec<String>,
    banned: Vec<String>,
    rows: Vec<Map<String, Value>>,
}

/// Runs one held-out campaign through the program; its rows may have different fields, so rows with equal ones go
/// together.
fn run(campaign: &Campaign) -> Vec<Message> {
    let mut groups: BTreeMap<Vec<&String>, Vec<&Map<String, Value>>> = BTreeMap::new();
    for row in &campaign.rows {
        groups.entry(row.keys().collect()).or_default().push(row);
    }
    groups.into_iter().flat_map(|(fields, rows)| run_group(campaign, &fields, &rows)).collect()
}

fn run_group(campaign: &Campaign, fields: &[&String], rows: &[&Map<String, Value>]) -> Vec<Message> {
    let lines: Vec<String> = (0..)
        .zip(rows)
        .map(|(i, row)| {
            let mut line = json!({ "id": format!("r-{i}") });
            for name in &campaign.merge {
                line[name] = "Robin".into();
            }
            row.iter().for_each(|(key, value)| line[key] = value.clone());
            line.to_string()
        })
        .collect();
    // YAML reads JSON.
    let file = json!({
        "campaign": "held-out", "kind": campaign.kind, "language": campaign.language, "model": "demo",
        "audience": { "source": "rows.jsonl", "id": "id", "fields": fields, "merge": campaign.merge },
        "variants": 2, "brief": campaign.brief, "facts": campaign.facts,
        "checks": { "must_use": campaign.must_use, "banned": campaign.banned },
        "sampling": { "temperature": 0.8, "top_p": 0.95, "seed": 11, "max_tokens": 300 }, "attempts": 3,
    });
    let place = Workplace::new(&file.to_string(), "");
    place.write("rows.jsonl", lines.join("\n") + "\n");
    place.copymill(&["run", "campaign.yaml"]).success();
    messages(&place.path("out"))
}

#[test]
fn copy_for_unseen_brands_passes_its_checks() {
    let text = fs::read_to_string(repository().join("examples/demo-model/heldout.json")).unwrap();
    let held_out: HeldOut = serde_json::from_str(&text).unwrap();
    let messages: Vec<Message> = held_out.campaigns.iter().flat_map(run).collect();
    let share = |count: usize| count as f64 / messages.len() as f64;
    let first = share(messages.iter().filter(|message| message.first_attempt()).count());
    let within = share(messages.iter().filter(|message| message.line.outcome == Outcome::Generated).count());
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for reason in messages.iter().flat_map(|message| &message.line.reasons) {
        *reasons.entry(&reason.code).or_default() += 1;
    }
    assert!(messages.len() >= 200, "{}", messages.len());
    println!(
        "{} messages: {first:.3} at the first attempt, {within:.3} within three; {reasons:?}",
        messages.len()
    );
    assert!(first >= FIRST_ATTEMPT && within >= THREE_ATTEMPTS, "{first:.3} and {within:.3}; {reasons:?}");
}

//! What the demo model promises on brands and products it has never seen.

use std::{collections::BTreeMap, fs};

use copymill_campaign::Outcome;
use copymill_tests::{Message, Workplace, messages, repository};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Share of messages that pass every check at the first attempt, and within three.
const FIRST_ATTEMPT: f64 = 0.90;
const THREE_ATTEMPTS: f64 = 0.99;
/// Share of the passed ones that say what their row and brief ask for.
const FOLLOW: f64 = 0.95;

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

/// Runs one held-out campaign through the program: each message with its row. Rows may have different fields, so rows
/// with equal ones go together.
fn run(campaign: &Campaign) -> Vec<(&Map<String, Value>, Message)> {
    let mut groups: BTreeMap<Vec<&String>, Vec<&Map<String, Value>>> = BTreeMap::new();
    for row in &campaign.rows {
        groups.entry(row.keys().collect()).or_default().push(row);
    }
    groups.into_iter().flat_map(|(fields, rows)| run_group(campaign, &fields, rows)).collect()
}

fn run_group<'a>(
    campaign: &Campaign,
    fields: &[&String],
    rows: Vec<&'a Map<String, Value>>,
) -> Vec<(&'a Map<String, Value>, Message)> {
    let lines: Vec<String> = (0..)
        .zip(&rows)
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
        "sampling": { "temperature": 0.3, "top_p": 0.95, "repetition_penalty": 1.1, "seed": 11, "max_tokens": 300 }, "attempts": 3,
    });
    let place = Workplace::new(&file.to_string(), "");
    place.write("rows.jsonl", lines.join("\n") + "\n");
    place.copymill(&["run", "campaign.yaml"]).success();
    let messages = messages(&place.path("out"));
    messages
        .into_iter()
        .map(|message| (rows[usize::try_from(message.line.row).expect("few rows")], message))
        .collect()
}

/// By which phrases one sees that a message follows its row and brief; `examples/demo-model/README.md` says how.
#[derive(Deserialize)]
struct Expectations {
    categories: BTreeMap<String, Vec<String>>,
    tiers: BTreeMap<String, TierPhrases>,
    voices: BTreeMap<String, Vec<String>>,
    goals: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct TierPhrases {
    any: Vec<String>,
    never: Vec<String>,
}

impl Expectations {
    /// What the copy, in lower case, does not follow.
    fn unmet(&self, campaign: &Campaign, row: &Map<String, Value>, copy: &str) -> Vec<&'static str> {
        let has = |phrases: &[String]| phrases.iter().any(|phrase| copy.contains(phrase.as_str()));
        let mut unmet = Vec::new();
        for value in row.values().filter_map(Value::as_str).map(str::to_lowercase) {
            if self.categories.get(&value).is_some_and(|phrases| !has(phrases)) {
                unmet.push("category");
            }
            if let Some(tier) = self.tiers.get(&value)
                && ((!tier.any.is_empty() && !has(&tier.any)) || has(&tier.never))
            {
                unmet.push("tier");
            }
        }
        let brief =
            |key: &str| campaign.brief.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if self.goals.get(&brief("goal")).is_some_and(|phrases| !has(phrases)) {
            unmet.push("goal");
        }
        let mut voices =
            self.voices.iter().filter(|(voice, _)| brief("voice").contains(voice.as_str())).peekable();
        if voices.peek().is_some() && !voices.any(|(_, phrases)| has(phrases)) {
            unmet.push("voice");
        }
        unmet
    }
}

/// All texts of a message's copy, one a line, in lower case; merge names stay in brackets.
fn copy_text(content: &Value) -> String {
    let fields = content.as_object().expect("an object").values();
    let texts = fields.flat_map(|field| field.as_array().cloned().unwrap_or_else(|| vec![field.clone()]));
    let lines: Vec<String> = texts.map(|text| text.as_str().expect("a text").to_lowercase()).collect();
    lines.join("\n")
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = repository().join("examples/demo-model").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("a file of the demo model")).expect("JSON")
}

#[test]
#[expect(clippy::print_stdout, reason = "the measured shares are what `--nocapture` is asked for")]
fn copy_for_unseen_brands_passes_its_checks_and_follows_its_row() {
    let (held_out, expectations): (HeldOut, Expectations) = (read("heldout.json"), read("expectations.json"));
    let (mut total, mut first, mut taken, mut follow) = (0, 0, 0, 0);
    let (mut reasons, mut unmet) = (BTreeMap::<String, u32>::new(), BTreeMap::<&str, u32>::new());
    for campaign in &held_out.campaigns {
        for (row, message) in run(campaign) {
            total += 1;
            first += u32::from(message.first_attempt());
            message
                .line
                .reasons
                .iter()
                .for_each(|reason| *reasons.entry(reason.code.clone()).or_default() += 1);
            if message.line.outcome == Outcome::Generated {
                taken += 1;
                let missed = expectations.unmet(campaign, row, &copy_text(&message.content));
                follow += u32::from(missed.is_empty());
                missed.into_iter().for_each(|part| *unmet.entry(part).or_default() += 1);
            }
        }
    }
    let share = |count: u32, of: u32| f64::from(count) / f64::from(of);
    let (first, within, follow) = (share(first, total), share(taken, total), share(follow, taken));
    let measured = format!(
        "{total} messages: {first:.3} pass at the first attempt, {within:.3} within three, {follow:.3} of these follow \
         row and brief; reasons {reasons:?}; not followed {unmet:?}"
    );
    println!("{measured}");
    assert!(
        total >= 200 && first >= FIRST_ATTEMPT && within >= THREE_ATTEMPTS && follow >= FOLLOW,
        "{measured}"
    );
}

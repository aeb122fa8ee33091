//! A campaign compiled, an answer checked, a message rendered.

mod answers;
mod prompts;
mod rendering;

use std::{fs, path::Path};

use copymill_campaign::Accepted;
use copymill_content::{Content, Kind};
use serde_json::{Value, json};

/// The columns of every audience here.
const COLUMNS: [&str; 5] = ["customer_id", "first_name", "last_category", "tier", "city"];

/// A campaign of a built-in kind; `change` edits its file.
fn accepted(kind: &str, change: impl FnOnce(&mut Value)) -> Accepted {
    let mut file = json!({
        "campaign": "spring-sale", "kind": kind, "language": "en", "model": "demo",
        "audience": { "source": "recipients.csv", "id": "customer_id", "fields": ["last_category", "tier"],
            "merge": ["first_name", "city"], "defaults": { "first_name": "there" } },
        "variants": 1, "attempts": 3,
        "brief": { "brand": "Northwind & Sons", "voice": "warm, plain", "goal": "bring lapsed customers back" },
        "facts": { "product": "Trailhead 3 rain jacket", "price": "$129", "discount": "20%", "code": "SPRING20",
            "ends": "April 30", "url": "https://northwind.example/spring?a=1&b=2",
            "unsubscribe": "https://northwind.example/off", "address": "1 Harbour Rd, Malmö" },
        "checks": { "banned": ["guaranteed", "free money"], "must_use": ["code", "url"] },
        "sampling": { "seed": 7, "max_tokens": 220 },
    });
    change(&mut file);
    let kind = Kind::built_in(kind).expect("a built-in kind").to_value();
    serde_json::from_value(json!({
        "v": 1, "id": "01KAQ6Z5Y4T6P0000000000000", "accepted_at": "2026-11-23T10:11:12Z", "file": file,
        "kind": kind, "prompt": null, "source": { "location": "/data/recipients.csv", "bytes": 1, "sha256": "00" },
        "columns": COLUMNS, "model": { "name": "demo", "sha256": "ab".repeat(32) },
    }))
    .expect("a campaign")
}

fn content(kind: &str) -> Content {
    Content::new(&accepted(kind, |_| ())).expect("the campaign is right")
}

fn row(values: [&str; 5]) -> Vec<String> {
    values.map(String::from).into()
}

/// Compares a text with a file of `tests/data`; with `UPDATE_GOLDEN` set, writes the file instead.
#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name} differs; if that is meant, run the test with UPDATE_GOLDEN=1");
}

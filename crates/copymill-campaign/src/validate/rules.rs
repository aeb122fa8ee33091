//! Rules between keys that need nothing but the file.

use std::collections::HashMap;

use super::{ParsedCampaign, Problem, problem::quote};
use crate::SuppressedBy;

/// Checks what a schema cannot say.
pub(super) fn check(parsed: &ParsedCampaign) -> Vec<Problem> {
    let file = &parsed.file;
    let audience = &file.audience;
    let mut found = Vec::new();
    let lists = [
        ("audience.fields", audience.fields.as_slice()),
        ("audience.merge", audience.merge.as_deref().unwrap_or_default()),
        ("audience.segment_by", audience.segment_by.as_slice()),
        ("checks.banned", file.checks.banned.as_slice()),
        ("checks.must_use", file.checks.must_use.as_slice()),
    ];
    for (key, names) in lists {
        found.extend(repeated(parsed, key, names));
    }
    for (index, name) in
        audience.merge.iter().flatten().enumerate().filter(|(_, name)| audience.fields.contains(name))
    {
        let message = format!(
            "{} is in audience.fields as well; a column is either shown to the model or only placed by it",
            quote(name)
        );
        found.push(parsed.problem(&format!("audience.merge[{index}]"), message));
    }
    for (index, name) in
        audience.segment_by.iter().enumerate().filter(|(_, name)| !audience.fields.contains(name))
    {
        let message = format!(
            "the prompt shows the columns of a segment to the model; add {} to audience.fields",
            quote(name)
        );
        found.push(parsed.problem(&format!("audience.segment_by[{index}]"), message));
    }
    found.extend(address(parsed));
    found.extend(facts(parsed));
    if let Some(Err(error)) = file.deadline.as_ref().map(|text| text.parse::<jiff::Timestamp>()) {
        let message =
            format!("a deadline is a time with its zone, such as \"2026-12-01T06:00:00Z\": {error}");
        found.push(parsed.problem("deadline", message));
    }
    if file.adapter.is_none() && file.adapter_sha256.is_some() {
        found.push(parsed.problem("adapter_sha256", "there is no `adapter` that this is the checksum of"));
    }
    if file.sampling.top_p == 0.0 {
        found.push(parsed.problem(
            "sampling.top_p",
            "0 keeps no token; 1 keeps all, and temperature 0 takes the likeliest",
        ));
    }
    found
}

fn repeated(parsed: &ParsedCampaign, key: &str, names: &[String]) -> Vec<Problem> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(earlier) = first.get(name.as_str()) {
            let message = format!("{} is there twice; {key}[{earlier}] has it already", quote(name));
            found.push(parsed.problem(&format!("{key}[{index}]"), message));
        } else {
            first.insert(name, index);
        }
    }
    found
}

/// The address is for those who send the message, never for the model or the copy.
fn address(parsed: &ParsedCampaign) -> Vec<Problem> {
    let audience = &parsed.file.audience;
    let Some(email) = &audience.email else {
        let by_emails = parsed.file.suppression.as_ref().is_some_and(|list| list.by == SuppressedBy::Emails);
        let message = "name the column with the address in audience.email, or write `by: ids`";
        return by_emails.then(|| parsed.problem("suppression.by", message)).into_iter().collect();
    };
    let lists = [
        ("audience.fields", audience.fields.as_slice()),
        ("audience.merge", audience.merge.as_deref().unwrap_or_default()),
        ("audience.segment_by", audience.segment_by.as_slice()),
    ];
    let mut found = Vec::new();
    for (key, names) in lists {
        if let Some(index) = names.iter().position(|name| name == email) {
            let message = format!(
                "{} is audience.email, which never enters a prompt or a message; take it out here",
                quote(email)
            );
            found.push(parsed.problem(&format!("{key}[{index}]"), message));
        }
    }
    found
}

fn facts(parsed: &ParsedCampaign) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, value) in &parsed.file.facts {
        let key = format!("facts.{name}");
        if name == "brand" {
            found
                .push(parsed.problem(&key, "`brand` is the brand of the brief; give this fact another name"));
        }
        if value.trim().is_empty() {
            found.push(parsed.problem(&key, "the fact is empty; write its value, or leave it out"));
        }
    }
    let brand = &parsed.file.brief.brand;
    if brand.trim().is_empty() {
        found.push(parsed.problem("brief.brand", "the brand is empty; write its name"));
    }
    found
}

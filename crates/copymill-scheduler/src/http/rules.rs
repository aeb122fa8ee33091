//! What a campaign over HTTP may name: nothing that would let a client read the server's files.

use copymill_campaign::{ParsedCampaign, Problem};
use copymill_store::S3Object;

use crate::office::has_passed;

/// Where uploaded audiences are, in the store and in campaigns.
const AUDIENCES: &str = "audiences/";

/// The key of an uploaded audience, where a campaign names one.
pub(super) fn audience_key(source: &str) -> Option<&str> {
    let digest = source.strip_prefix(AUDIENCES)?;
    let is_digest =
        digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then_some(source)
}

/// The key of an audience with this checksum.
pub(super) fn key_of(sha256: &str) -> String {
    format!("{AUDIENCES}{sha256}")
}

/// Names everything in a campaign that its client must not name. `has_audience` says whether the audience was uploaded.
pub(super) fn check(parsed: &ParsedCampaign, models: &[String], has_audience: bool) -> Vec<Problem> {
    let file = &parsed.file;
    let mut found = Vec::new();
    if audience_key(&file.audience.source).is_none() {
        let message = "over HTTP, rows are uploaded first: POST them to /v1/audiences and write the `source` that it answers";
        found.push(parsed.problem("audience.source", message));
    } else if !has_audience {
        let message = "there is no such audience; POST the rows to /v1/audiences and write the `source` that it answers";
        found.push(parsed.problem("audience.source", message));
    }
    if file.deadline.as_deref().is_some_and(has_passed) {
        found.push(parsed.problem("deadline", "the deadline has passed; write another one, or none"));
    }
    if file.prompt.is_some() {
        let message =
            "a campaign over HTTP names no files; leave `prompt` out, or submit with the command line";
        found.push(parsed.problem("prompt", message));
    }
    if file.suppression.as_ref().is_some_and(|suppression| !S3Object::is_address(&suppression.list)) {
        let message =
            "a campaign over HTTP names no files; put the list into a bucket and write its s3://bucket/key";
        found.push(parsed.problem("suppression.list", message));
    }
    if file.adapter.is_some() {
        let message =
            "a campaign over HTTP names no files; leave `adapter` out, or submit with the command line";
        found.push(parsed.problem("adapter", message));
    }
    if !models.contains(&file.model) {
        let message = format!(
            "this server takes no such model over HTTP; it takes {} (its setting scheduler.http_models)",
            models.iter().map(|model| format!("`{model}`")).collect::<Vec<_>>().join(", ")
        );
        found.push(parsed.problem("model", message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_checksum_names_an_audience() {
        let digest = "0f".repeat(32);
        assert_eq!(audience_key(&key_of(&digest)), Some(key_of(&digest).as_str()));
        for source in [
            "recipients.csv",
            "/etc/passwd",
            "audiences/",
            "audiences/../state.json",
            "audiences/../../etc/passwd",
            &format!("audiences/{digest}/x"),
            &format!("audiences/{}", "0F".repeat(32)),
            &digest,
        ] {
            assert_eq!(audience_key(source), None, "{source}");
        }
    }
}

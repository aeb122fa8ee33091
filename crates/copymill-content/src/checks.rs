//! Checks: what a message must not be. One file for each, or for a few that go together.
//!
//! A check has a stable code, one sentence for people, and where another attempt can help a clause for the next prompt
//! (`prompts/hints.yaml`). `docs/CHECKS.md` lists them.

mod banned;
mod claims;
pub(crate) mod codes;
mod echo;
mod leftovers;
mod repetition;
mod shape;

pub(crate) use banned::Banned;
pub(crate) use claims::{Allowed, holds_link, unsupported};
pub(crate) use echo::Echo;
pub(crate) use leftovers::check as leftovers;
pub(crate) use repetition::check as repetition;
pub(crate) use shape::{Texts, fields, forbidden, form, label, length, parse};

use copymill_campaign::Reason;

/// Findings kept of one message: a thousand of them say no more than the first ones.
const FINDINGS_MAX: usize = 32;

/// One failed check, before the attempt is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

/// What checks found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes a failed check.
    pub(crate) fn add(&mut self, code: &'static str, field: Option<&str>, message: impl Into<String>) {
        let finding = Finding { code, field: field.map(str::to_owned), message: message.into() };
        if self.0.len() < FINDINGS_MAX && !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// The reasons for one attempt.
    pub(crate) fn into_reasons(self, attempt: u32) -> Vec<Reason> {
        let reason = |Finding { code, field, message }| Reason { code: code.into(), field, message, attempt };
        self.0.into_iter().map(reason).collect()
    }
}

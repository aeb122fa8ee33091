//! Sums over all objects, and whether the manifest has the same.

use std::collections::BTreeMap;

use copymill_campaign::{CampaignPhase, Manifest, Outcome, OutcomeCounts, TokenUse};

use super::Problems;
use super::line::Code;

/// What was counted over the objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// Rows (or segments) that have a line.
    pub(super) rows: u64,
    /// Rows that planning cut.
    pub(super) planned: u64,
    /// Lines by outcome.
    pub(super) outcomes: OutcomeCounts,
    /// Failed checks by code.
    pub(super) reasons: BTreeMap<String, u64>,
    /// Tokens.
    pub(super) tokens: TokenUse,
    /// Objects read.
    pub(super) objects: u64,
}

impl Recount {
    /// Adds one line.
    pub(super) fn add(&mut self, outcome: Outcome, reasons: Vec<Code>, tokens: TokenUse) {
        self.outcomes.add(outcome, 1);
        self.tokens += tokens;
        for reason in reasons {
            *self.reasons.entry(reason.code).or_default() += 1;
        }
    }
}

/// Compares the manifest's totals with what was counted.
pub(super) fn compare(manifest: &Manifest, segments: &Recount, messages: &Recount, problems: &mut Problems) {
    let totals = &manifest.totals;
    let mut expect = |what: &str, named: u64, counted: u64| {
        if named != counted {
            problems.note(format!("manifest.json: {what} is {named}, but the objects hold {counted}"));
        }
    };
    for outcome in Outcome::ALL {
        let what = format!("totals.outcomes.{}", outcome.as_str());
        expect(&what, totals.outcomes.get(outcome), messages.outcomes.get(outcome));
    }
    // A campaign that ended early may have rows that were never cut.
    if manifest.state == CampaignPhase::Completed || manifest.rows < messages.planned {
        expect("rows", manifest.rows, messages.planned);
    }
    let pairs = manifest.rows.saturating_mul(u64::from(manifest.variants));
    expect("totals.unfinished", totals.unfinished, pairs.saturating_sub(messages.outcomes.total()));
    if manifest.state == CampaignPhase::Completed {
        expect("rows × variants of a completed campaign", pairs, messages.outcomes.total());
    }
    let mut tokens = segments.tokens;
    tokens += messages.tokens;
    expect("totals.tokens.prompt", totals.tokens.prompt, tokens.prompt);
    expect("totals.tokens.reused", totals.tokens.reused, tokens.reused);
    expect("totals.tokens.generated", totals.tokens.generated, tokens.generated);
    expect("totals.tokens.forced", totals.tokens.forced, tokens.forced);
    let mut reasons = segments.reasons.clone();
    messages.reasons.iter().for_each(|(code, n)| *reasons.entry(code.clone()).or_default() += n);
    let codes =
        totals.reasons.keys().chain(reasons.keys().filter(|code| !totals.reasons.contains_key(*code)));
    for code in codes {
        let (named, counted) = (totals.reasons.get(code), reasons.get(code));
        expect(&format!("totals.reasons.{code}"), *named.unwrap_or(&0), *counted.unwrap_or(&0));
    }
}

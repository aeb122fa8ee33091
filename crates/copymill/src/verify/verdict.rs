//! What `copymill verify` tells its user.

use std::fmt;

use copymill_campaign::{CampaignPhase, Outcome, OutcomeCounts};

/// Problems that are kept in full: enough to see a pattern, few enough to read. The rest is counted.
const PROBLEMS_SHOWN: usize = 20;

/// What is wrong, bounded however much is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems {
    /// The first ones, in the order they were met.
    pub(crate) first: Vec<String>,
    /// How many there are.
    pub(crate) count: u64,
    /// Objects that came after a campaign had ended before its time: no problem, and not in force.
    pub(crate) late: u64,
}

impl Problems {
    /// Notes a problem: one sentence that names the object, and the line and row where there is one.
    pub(crate) fn note(&mut self, sentence: String) {
        self.count += 1;
        if self.first.len() < PROBLEMS_SHOWN {
            self.first.push(sentence);
        }
    }
}

/// How far the campaign got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no readable campaign.
    Absent,
    /// There is no manifest yet.
    Unfinished {
        /// Chunks of messages that are stored.
        chunks_done: u64,
        /// Chunks of messages that are cut so far.
        chunks_cut: u64,
    },
    /// There is a manifest; it says how the campaign ended.
    Finished(CampaignPhase),
}

/// The result of a recount. All numbers are counted from lines, not taken from the manifest.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// How far the campaign got.
    pub(crate) standing: Standing,
    /// What is wrong.
    pub(crate) problems: Problems,
    /// Rows that have a line.
    pub(crate) rows: u64,
    /// Lines of messages.
    pub(crate) messages: u64,
    /// Lines by outcome.
    pub(crate) outcomes: OutcomeCounts,
    /// Objects that were read.
    pub(crate) objects: u64,
}

impl Verdict {
    /// Whether the campaign is finished and everything adds up.
    pub(crate) fn is_verified(&self) -> bool {
        self.problems.count == 0 && matches!(self.standing, Standing::Finished(_))
    }

    pub(super) fn without_recount(standing: Standing, problems: Problems) -> Self {
        Self { standing, problems, rows: 0, messages: 0, outcomes: OutcomeCounts::default(), objects: 0 }
    }

    fn write_outcomes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = Outcome::ALL.iter().filter(|outcome| self.outcomes.get(**outcome) > 0);
        let words: Vec<_> =
            counted.map(|outcome| format!("{} {}", self.outcomes.get(*outcome), outcome.as_str())).collect();
        if words.is_empty() { Ok(()) } else { write!(f, "\n  {}", words.join(", ")) }
    }

    fn write_problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems.first {
            write!(f, "\n  - {problem}")?;
        }
        match self.problems.count - self.problems.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = format!("{} of {}", plural(self.messages, "message"), plural(self.rows, "recipient"));
        match &self.standing {
            Standing::Absent => write!(f, "not verified: no campaign could be read")?,
            Standing::Unfinished { chunks_done, chunks_cut } => {
                let chunks = plural(*chunks_cut, "chunk");
                write!(
                    f,
                    "not finished: {chunks_done} of {chunks} that are cut so far are done, with {counted}"
                )?;
                self.write_outcomes(f)?;
                write!(f, "\n  there is no manifest yet; run the same command again to go on")?;
            }
            Standing::Finished(_) if self.problems.count > 0 => {
                write!(f, "not verified: {} in {counted}", plural(self.problems.count, "problem"))?;
            }
            Standing::Finished(phase) => {
                write!(f, "verified: {counted} in {}", plural(self.objects, "object"))?;
                if *phase != CampaignPhase::Completed {
                    write!(f, "; the campaign was {} before all were written", ended(*phase))?;
                }
                self.write_outcomes(f)?;
                if self.problems.late > 0 {
                    let late = plural(self.problems.late, "object");
                    write!(f, "\n  {late} came after its end and did not count")?;
                }
            }
        }
        self.write_problems(f)
    }
}

fn ended(phase: CampaignPhase) -> &'static str {
    if phase == CampaignPhase::Failed { "given up" } else { phase.as_str() }
}

fn plural(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

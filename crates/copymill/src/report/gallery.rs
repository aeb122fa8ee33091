//! Which messages are shown: some from everywhere, and those that went differently.

use copymill_campaign::{Outcome, OutputLine};

/// Messages that are taken at even steps over the audience.
const ACROSS: u64 = 6;
/// Messages of any other group: its first ones.
const OTHERS: usize = 3;

/// Messages that are shown, by group.
pub(super) struct Gallery {
    groups: [Group; 5],
    rows: u64,
    variants: u32,
}

/// Messages that are shown for one reason.
pub(super) struct Group {
    /// Its heading.
    pub(super) title: &'static str,
    /// Why these are shown.
    pub(super) about: &'static str,
    /// Its anchor in the page.
    pub(super) anchor: &'static str,
    /// The messages, by ascending row.
    pub(super) lines: Vec<OutputLine>,
    wants: fn(&OutputLine) -> bool,
}

impl Gallery {
    /// An empty gallery for an audience of so many rows, each in so many variants.
    pub(super) fn new(rows: u64, variants: u32) -> Self {
        let group = |title, about, anchor, wants| Group { title, about, anchor, lines: Vec::new(), wants };
        let groups = [
            group(
                "Across the audience",
                "Taken at even steps from the first recipient to the last.",
                "across",
                |line| line.outcome == Outcome::Generated,
            ),
            group(
                "Needed another try",
                "At least one attempt failed a check; the one that passed is shown.",
                "tried",
                |line| line.outcome == Outcome::Generated && line.attempt > 1,
            ),
            group(
                "Fallback texts",
                "No attempt passed, so the campaign's own text stands in.",
                "fallback",
                |line| line.outcome == Outcome::Fallback,
            ),
            group(
                "Rejected",
                "No attempt passed and there is no fallback: nothing will be sent.",
                "rejected",
                |line| line.outcome == Outcome::Rejected,
            ),
            group(
                "Not written",
                "The row could not be used, or must not be written to.",
                "unusable",
                |line| matches!(line.outcome, Outcome::Suppressed | Outcome::Invalid),
            ),
        ];
        Self { groups, rows, variants: variants.max(1) }
    }

    /// Shows a message where a group has a place for it. Messages come by ascending row.
    pub(super) fn offer(&mut self, line: OutputLine) {
        let [across, others @ ..] = &mut self.groups;
        let taken = across.lines.len() as u64;
        let is_due = taken < ACROSS && line.row >= taken * self.rows / ACROSS;
        if is_due && u64::from(line.variant) == taken % u64::from(self.variants) && (across.wants)(&line) {
            return across.lines.push(line);
        }
        let is_new = |group: &Group| group.lines.last().is_none_or(|last| last.row != line.row);
        let free = |group: &&mut Group| group.lines.len() < OTHERS && (group.wants)(&line) && is_new(group);
        if let Some(group) = others.iter_mut().find(free) {
            group.lines.push(line);
        }
    }

    /// The groups that show something.
    pub(super) fn into_groups(self) -> impl Iterator<Item = Group> {
        self.groups.into_iter().filter(|group| !group.lines.is_empty())
    }
}

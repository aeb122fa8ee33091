//! The numbers of a progress bar, from the leader's state and the worker's counters.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use copymill_campaign::CampaignState;
use copymill_worker::{Progress, ProgressSnapshot};

use crate::output;

/// Rates are those of the last seconds: what a run did an hour ago says nothing about when it ends.
const WINDOW: Duration = Duration::from_secs(15);

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// (row, variant) pairs.
    pub(crate) messages: u64,
    /// (segment, variant) pairs; 0 where the campaign has no segments.
    pub(crate) segment_copies: u64,
    /// Messages that earlier runs finished.
    pub(crate) done_before: u64,
    /// Of these, the rejected ones.
    pub(crate) rejected_before: u64,
}

/// Numbers at one moment, and what is needed to know rates.
pub(crate) struct Figures {
    extent: Extent,
    progress: Arc<Progress>,
    samples: VecDeque<(Instant, ProgressSnapshot)>,
    /// What the worker's counters were when the messages began, after the segments.
    messages_from: Option<ProgressSnapshot>,
    stored: u64,
}

impl Figures {
    pub(crate) fn new(extent: Extent, progress: Arc<Progress>) -> Self {
        let messages_from = (extent.segment_copies == 0).then(ProgressSnapshot::default);
        Self { extent, progress, samples: VecDeque::new(), messages_from, stored: 0 }
    }

    /// Takes a look at both sides.
    pub(crate) fn update(&mut self, state: &CampaignState) {
        let now = Instant::now();
        let snapshot = self.progress.snapshot();
        if self.messages_from.is_none() && state.chunks_planned > 0 {
            self.messages_from = Some(snapshot);
            self.samples.clear();
        }
        self.stored = state.totals.outcomes.total();
        self.samples.push_back((now, snapshot));
        while self.samples.front().is_some_and(|(then, _)| now - *then > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Messages, or copies of segments while these are written.
    pub(crate) fn total(&self) -> u64 {
        if self.messages_from.is_some() { self.extent.messages } else { self.extent.segment_copies }
    }

    /// How many of them are done.
    pub(crate) fn done(&self) -> u64 {
        let now = self.latest().messages;
        let done = match &self.messages_from {
            Some(from) => (self.extent.done_before + now.saturating_sub(from.messages)).max(self.stored),
            None => now,
        };
        done.min(self.total())
    }

    /// What stands behind the bar.
    pub(crate) fn message(&self) -> String {
        let (messages, tokens) = self.rates();
        let mut text = format!("{what} · {}/s", output::rate(messages), what = self.what());
        if tokens > 0.0 {
            text.push_str(&format!(" · {} tokens/s", output::rate(tokens)));
        }
        text.push_str(&format!(" · {} rejected", output::count(self.rejected())));
        if messages > 0.0 && self.done() < self.total() {
            let left = (self.total() - self.done()) as f64 / messages;
            text.push_str(&format!(" · {} left", output::time_left(left)));
        }
        text
    }

    /// The same as one plain line.
    pub(crate) fn line(&self) -> String {
        format!("{} of {} {}", output::count(self.done()), output::count(self.total()), self.message())
    }

    fn what(&self) -> &'static str {
        if self.messages_from.is_some() { "messages" } else { "copies of segments" }
    }

    fn rejected(&self) -> u64 {
        self.extent.rejected_before + self.latest().rejected - self.messages_from.unwrap_or_default().rejected
    }

    fn latest(&self) -> ProgressSnapshot {
        self.samples.back().map(|(_, snapshot)| *snapshot).unwrap_or_default()
    }

    /// Messages and tokens a second.
    fn rates(&self) -> (f64, f64) {
        let (Some((began, first)), Some((ended, last))) = (self.samples.front(), self.samples.back()) else {
            return (0.0, 0.0);
        };
        let seconds = (*ended - *began).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        let rate = |from: u64, to: u64| (to - from) as f64 / seconds;
        (rate(first.messages, last.messages), rate(first.generated_tokens, last.generated_tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copymill_campaign::Outcome;

    fn extent(segment_copies: u64) -> Extent {
        Extent { messages: 100, segment_copies, done_before: 0, rejected_before: 0 }
    }

    #[test]
    fn a_run_that_goes_on_counts_what_was_done_before() {
        let progress = Arc::new(Progress::default());
        let before = Extent { done_before: 40, rejected_before: 2, ..extent(0) };
        let mut figures = Figures::new(before, progress.clone());
        progress.settled(Outcome::Rejected);
        figures.update(&CampaignState::accepted());
        assert_eq!((figures.done(), figures.total()), (41, 100));
        assert!(figures.message().contains("3 rejected"), "{}", figures.message());
    }

    #[test]
    fn segments_are_counted_apart_from_messages() {
        let progress = Arc::new(Progress::default());
        let mut figures = Figures::new(extent(6), progress.clone());
        progress.settled(Outcome::Rejected);
        let mut state = CampaignState::accepted();
        figures.update(&state);
        assert_eq!((figures.done(), figures.total()), (1, 6));
        state.chunks_planned = 1;
        figures.update(&state);
        progress.settled(Outcome::Generated);
        figures.update(&state);
        assert_eq!((figures.done(), figures.total()), (1, 100));
        assert!(figures.line().starts_with("1 of 100 messages"), "{}", figures.line());
    }
}

//! How fast a campaign goes, and how much more of the window it needs to be done in time.

use std::time::{Duration, Instant};

/// How often the need is looked at anew: a change of the share shows in the rate after some chunks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// No campaign gets more than this many times the share of its weight, so that the others go on.
const URGENCY_MAX: f64 = 10.0;
/// Aimed at: to be done when this share of the time that is left has passed.
const AIM: f64 = 0.8;

/// The pace of one campaign with a deadline.
pub(super) struct Pace {
    deadline: jiff::Timestamp,
    looked: Instant,
    done: u64,
    urgency: f64,
}

impl Pace {
    /// Begins to watch; `done` messages have an outcome.
    pub(super) fn new(deadline: jiff::Timestamp, done: u64, now: Instant) -> Self {
        Self { deadline, looked: now, done, urgency: 1.0 }
    }

    /// How many times its share a campaign needs at the moment; none where it is not time to look. The deadline is by
    /// the wall clock, for there is no other that people mean.
    pub(super) fn look(&mut self, done: u64, left: u64, now: Instant) -> Option<f64> {
        let passed = now.duration_since(self.looked);
        if passed < LOOK_EVERY {
            return None;
        }
        let rate = done.saturating_sub(self.done) as f64 / passed.as_secs_f64();
        (self.looked, self.done) = (now, done);
        let time_left = self.deadline.duration_since(jiff::Timestamp::now()).as_secs_f64();
        self.urgency = urgency(self.urgency, rate, left, time_left);
        Some(self.urgency)
    }
}

/// The urgency that follows: shares are proportional to rates, so it grows by how much the rate has to.
fn urgency(before: f64, rate_per_s: f64, left: u64, time_left_s: f64) -> f64 {
    if left == 0 {
        return 1.0;
    }
    if time_left_s <= 0.0 {
        return URGENCY_MAX;
    }
    let needed = left as f64 / (AIM * time_left_s);
    // Nothing at all is done at the start, and where others hold everything.
    let growth = if rate_per_s > 0.0 { (needed / rate_per_s).clamp(0.5, 2.0) } else { 2.0 };
    (before * growth).clamp(1.0, URGENCY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_that_will_be_late_gets_more_until_it_is_in_time_and_one_in_time_gets_its_share() {
        assert_eq!(urgency(1.0, 100.0, 1_000, 3_600.0), 1.0, "in time");
        assert_eq!(urgency(1.0, 1.0, 10_000, 3_600.0), 2.0, "late: more, step by step");
        assert_eq!(urgency(8.0, 1.0, 10_000, 3_600.0), URGENCY_MAX, "and no more than the limit");
        assert_eq!(urgency(4.0, 100.0, 1_000, 3_600.0), 2.0, "early: less, step by step");
        assert_eq!(urgency(1.0, 5.0, 10, -1.0), URGENCY_MAX, "the deadline has passed");
        assert_eq!(urgency(9.0, 5.0, 0, -1.0), 1.0, "nothing is left to do");
    }

    #[test]
    fn shares_settle_where_the_deadline_is_met() {
        // Alone it would do 100/s; at urgency u its share beside an equal campaign is u / (u + 1).
        let (mut left, mut time, mut current) = (36_000.0_f64, 500.0_f64, 1.0);
        while left > 0.0 && time > -100.0 {
            let rate = 100.0 * current / (current + 1.0);
            left -= rate * 5.0;
            time -= 5.0;
            current = urgency(current, rate, left.max(0.0) as u64, time);
        }
        assert!(time > 0.0, "{time} s before its deadline, which its share alone would miss by 220 s");
    }
}

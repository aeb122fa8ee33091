//! How much work is left, and how many workers finish it in time. Pure: clocks and counts are given.
//!
//! A campaign's work is its messages that are left, times the tokens that its messages took so far, times the measured
//! GPU-seconds per token. Campaigns share workers by weight and urgency, so all go on at once and each needs its own pace;
//! and what is published is in order already, so that a campaign has to get through all of it. docs/SCALING.md compares
//! this with other formulas.

/// Workers that are wanted for the sum of all paces: with the sum itself one deadline in thirty is missed, because shares
/// are no paces and workers take their time to come.
const HEADROOM: f64 = 2.0;
/// A campaign without a deadline that is past the horizon still gets this long.
const LEAST_HORIZON_S: f64 = 900.0;
/// Messages that one core merges in a second, where copy exists already: docs/BENCHMARKS.md measures more.
const MERGED_PER_S: f64 = 20_000.0;
/// However close a deadline is, no more workers are wanted than finish within this.
const SHORTEST_S: f64 = 60.0;

/// What is assumed where nothing is known better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assumptions {
    /// Time until a worker that is asked for takes its first chunk.
    pub(crate) worker_start_s: f64,
    /// Time within which a campaign without a deadline shall be done.
    pub(crate) horizon_s: f64,
}

/// What is left of one campaign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Left {
    /// Messages without an outcome.
    pub(crate) messages: f64,
    /// Tokens that are predicted to be generated.
    pub(crate) tokens: f64,
    /// Seconds until its deadline; negative where it has passed, none where it has none.
    pub(crate) deadline_s: Option<f64>,
    /// Seconds since it was accepted.
    pub(crate) age_s: f64,
    /// How much of what is left is on the queue or with workers, from 0 to 1.
    pub(crate) published: f64,
}

impl Left {
    fn work_s(&self, seconds_per_token: f64) -> f64 {
        (self.tokens * seconds_per_token).max(self.messages / MERGED_PER_S)
    }

    /// The time in which a worker that is asked for now can work for it.
    fn time_s(&self, assumed: Assumptions) -> f64 {
        let horizon_s = (assumed.horizon_s - self.age_s).max(LEAST_HORIZON_S);
        (self.deadline_s.unwrap_or(horizon_s) - assumed.worker_start_s).max(SHORTEST_S)
    }
}

/// What is to be done with one model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelDemand {
    /// What the model is called.
    pub(crate) model: String,
    /// Messages without an outcome.
    pub(crate) messages: f64,
    /// Tokens that are predicted to be generated for them.
    pub(crate) tokens: f64,
    /// GPU-seconds that these are predicted to take.
    pub(crate) gpu_seconds: f64,
    /// Workers that finish in time.
    pub(crate) wanted_workers: f64,
    /// Workers at hand.
    pub(crate) workers: f64,
    /// GPU-seconds per token.
    pub(crate) seconds_per_token: f64,
    /// Campaigns that will be late.
    pub(crate) late_campaigns: f64,
    /// Smallest margin; infinite where no campaign has a deadline.
    pub(crate) margin_s: f64,
}

/// Tokens that are predicted for messages, from those that others took; `limit` is what one may have at most.
pub(crate) fn predicted_tokens(messages: u64, done: (u64, u64), limit: u32) -> f64 {
    let (done_messages, done_tokens) = done;
    // Answers end long before their limit; half of it is right within a factor of two until some are there.
    let each =
        if done_messages > 0 { done_tokens as f64 / done_messages as f64 } else { f64::from(limit) / 2.0 };
    messages as f64 * each
}

impl ModelDemand {
    /// Sums up the campaigns of a model.
    pub(crate) fn of(
        model: String,
        campaigns: &[Left],
        (workers, seconds_per_token): (usize, f64),
        assumed: Assumptions,
    ) -> Self {
        let work: Vec<f64> = campaigns.iter().map(|left| left.work_s(seconds_per_token)).collect();
        let published: f64 = campaigns.iter().zip(&work).map(|(left, work)| left.published * work).sum();
        let (mut paces, mut through_the_queue) = (0.0, 0.0_f64);
        for (left, work) in campaigns.iter().zip(&work) {
            let (others, time) = (published - left.published * work, left.time_s(assumed));
            paces += work / time;
            // Who has nothing left waits for nobody.
            if *work > 0.0 {
                through_the_queue = through_the_queue.max((work + others) / time);
            }
        }
        let (margin, late) = margin(campaigns, &work, workers);
        Self {
            model,
            messages: campaigns.iter().map(|left| left.messages).sum(),
            tokens: campaigns.iter().map(|left| left.tokens).sum(),
            gpu_seconds: work.iter().sum(),
            wanted_workers: (HEADROOM * paces).max(through_the_queue),
            workers: workers as f64,
            seconds_per_token,
            late_campaigns: late,
            margin_s: margin,
        }
    }
}

/// The smallest margin at the workers at hand, and how many campaigns are late, if the earliest deadline were served first:
/// nothing does better.
fn margin(campaigns: &[Left], work: &[f64], workers: usize) -> (f64, f64) {
    let due = campaigns.iter().zip(work).filter_map(|(left, work)| Some((left.deadline_s?, *work)));
    let mut due: Vec<(f64, f64)> = due.filter(|(_, work)| *work > 0.0).collect();
    due.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut sum, mut late, mut margin) = (0.0, 0.0, f64::INFINITY);
    for (time_left, work) in due {
        sum += work;
        // Without any worker yet, the first one is on its way.
        let left = time_left - sum / workers.max(1) as f64;
        margin = margin.min(left);
        late += f64::from(u8::from(left < 0.0));
    }
    (margin, late)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSUMED: Assumptions = Assumptions { worker_start_s: 300.0, horizon_s: 3_600.0 };

    /// Chunks of a minute, of a campaign that was accepted now.
    fn chunks(chunks: f64, deadline_s: Option<f64>) -> Left {
        Left { messages: chunks, tokens: chunks * 60_000.0, deadline_s, age_s: 0.0, published: 0.0 }
    }

    fn demand(campaigns: &[Left], workers: usize) -> ModelDemand {
        ModelDemand::of("demo".into(), campaigns, (workers, 0.001), ASSUMED)
    }

    fn wanted(campaigns: &[Left]) -> f64 {
        demand(campaigns, 1).wanted_workers
    }

    #[test]
    fn nothing_to_do_wants_nobody() {
        let demand = demand(&[], 3);
        assert_eq!((demand.wanted_workers, demand.gpu_seconds, demand.late_campaigns), (0.0, 0.0, 0.0));
        assert_eq!(demand.margin_s, f64::INFINITY);
    }

    // The same examples are in tests/scaling/test_scaling.py, whose simulation chose the formula.
    #[test]
    fn campaigns_get_twice_what_they_need_once_workers_have_started_and_add_up() {
        assert_eq!(wanted(&[chunks(100.0, Some(3_300.0))]), 4.0);
        assert_eq!(wanted(&[chunks(100.0, Some(3_300.0)), chunks(100.0, Some(6_300.0))]), 6.0);
        assert_eq!(wanted(&[chunks(110.0, None)]), 4.0, "no deadline is the horizon");
    }

    #[test]
    fn what_is_late_is_wanted_within_a_minute() {
        assert_eq!(wanted(&[chunks(3.0, Some(-5.0))]), 6.0);
        let old = Left { age_s: 7_200.0, ..chunks(10.0, None) };
        assert_eq!(wanted(&[old]), 2.0, "past the horizon a quarter of an hour is left");
    }

    #[test]
    fn a_small_campaign_has_to_get_through_the_queue() {
        let large = Left { published: 1.0, ..chunks(148.0, Some(88_800.0)) };
        assert_eq!(wanted(&[chunks(2.0, Some(1_200.0)), large]), 10.0);
    }

    #[test]
    fn the_margin_is_that_of_the_campaign_that_is_tightest_at_the_workers_at_hand() {
        let campaigns = [chunks(10.0, Some(600.0)), chunks(10.0, Some(1_100.0))];
        let demand = demand(&campaigns, 1);
        assert_eq!((demand.margin_s, demand.late_campaigns), (-100.0, 1.0));
        assert_eq!(self::demand(&campaigns, 2).margin_s, 300.0);
    }

    #[test]
    fn tokens_are_predicted_from_messages_that_are_done() {
        assert_eq!(predicted_tokens(10, (0, 0), 200), 1_000.0);
        assert_eq!(predicted_tokens(10, (5, 400), 200), 800.0);
    }
}

//! What a scheduler measures. No campaign, tenant or recipient is in a label.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use copymill_broker::{BROKER_OPERATIONS, BROKER_RESULTS, LinkState};
use copymill_campaign::{Outcome, OutcomeCounts};
use copymill_service::metrics::raise;
use copymill_store::{STORE_OPERATIONS, STORE_RESULTS};

use crate::demand::ModelDemand;

/// Where a campaign stands; the last [`ENDED_STATES`] are counted while this process leads.
const STATES: [&str; 13] = [
    "accepted",
    "planning",
    "pilot",
    "awaiting_approval",
    "running",
    "finishing",
    "paused",
    "held",
    "cancelling",
    "retrying",
    "completed",
    "cancelled",
    "failed",
];
const ENDED_STATES: usize = 3;
const CHUNKS: [&str; 4] = ["waiting", "published", "running", "done"];
const AGAIN: [&str; 4] = ["silent", "lost", "returned", "failed"];
const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

copymill_service::metrics! {
    /// What a scheduler measures.
    pub struct Series("copymill_scheduler") {
        /// 1 while this process leads.
        leader: IntGauge,
        /// How often this process began to lead.
        elections_total: IntCounter,
        /// Time since the leader's loop last turned; 0 while standing by.
        leader_loop_seconds: Gauge,
        /// Campaigns by state; completed, cancelled and failed ones since this process began to lead.
        campaigns: IntGauge["state" = STATES],
        /// Chunks of the campaigns that are led, by state; `waiting` and `done` ones are of messages, the others of segments, too.
        chunks: IntGauge["state" = CHUNKS],
        /// Messages without an outcome, of campaigns that go on.
        backlog_messages: ModelGauge,
        /// Tokens that are predicted to be generated for them.
        backlog_tokens: ModelGauge,
        /// GPU-seconds that these are predicted to take.
        backlog_gpu_seconds: ModelGauge,
        /// Workers that are wanted for the deadlines: twice the predicted GPU-seconds over the time that is left, or what gets through the queue in time; see SCALING.md.
        wanted_workers: ModelGauge,
        /// Workers that were heard of within 15 s.
        workers: ModelGauge,
        /// Measured GPU-seconds per generated token; an assumption until a worker has generated some.
        seconds_per_token: ModelGauge,
        /// Campaigns that the workers at hand will finish after their deadline, by the prediction.
        late_campaigns: ModelGauge,
        /// Smallest time between a campaign's predicted finish and its deadline; +Inf where none has a deadline.
        deadline_margin_seconds: ModelGauge,
        /// Rows that were cut into chunks.
        planned_rows_total: IntCounter,
        /// Chunks that were cut.
        planned_chunks_total: IntCounter,
        /// Chunks that go to the queue again, by why: their worker fell silent, the queue lost them, they came back or failed.
        republished_chunks_total: IntCounter["reason" = AGAIN],
        /// Messages of chunks that ended, by outcome.
        messages_total: IntCounter["outcome" = Outcome::ALL.map(Outcome::as_str)],
        /// Chunks of messages and of segments that were finished, by model.
        finished_chunks_total: ModelCounter,
        /// Time of a chunk from its publishing to its end: a minute of work, and up to an hour behind others in the window.
        chunk_turnaround_seconds: Histogram(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
        /// Time from a worker's report to its effect, by both clocks: 5 ms on one machine, 15 s and more while a leader is replaced.
        event_lag_seconds: Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
        /// Reports that wait for the leader.
        events_waiting: IntGauge,
        /// Messages in the dead-letter queue.
        dead_letters: IntGauge,
        /// Requests of the HTTP port, by class of status.
        http_requests_total: IntCounter["status" = STATUSES],
        /// Calls of the store, by operation and result: `refused` is a condition that did not hold.
        store_operations_total: IntCounter["operation" = STORE_OPERATIONS; "result" = STORE_RESULTS],
        /// Time of calls of the store, retries included: 5 ms beside it, and six tries of 5 s with pauses where it hangs.
        store_operation_seconds: Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)["operation" = STORE_OPERATIONS],
        /// Calls of the broker, by operation and result.
        broker_operations_total: IntCounter["operation" = BROKER_OPERATIONS; "result" = BROKER_RESULTS],
        /// Time of calls of the broker, the wait for a connection included: 1 ms beside it, 15 s until a dead connection is given up and made again.
        broker_operation_seconds: Histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0)["operation" = BROKER_OPERATIONS],
        /// 1 while the connection to the broker stands.
        broker_connected: IntGauge,
        /// How often the connection to the broker was made again.
        broker_reconnects_total: IntCounter,
        /// 1, with the version of the program in a label.
        build_info: BuildInfo,
    }
}

/// The series, and when the leader's loop last turned.
#[derive(Debug, Default)]
pub struct SchedulerMetrics {
    /// The series.
    pub series: Series,
    turned: Mutex<Option<Instant>>,
}

impl SchedulerMetrics {
    /// Notes that this process leads, or goes on to.
    pub(crate) fn turn(&self) {
        let before = self.turned.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
        if before.is_none() {
            self.series.leader.set(1);
            self.series.elections_total.inc();
        }
    }

    /// Notes that this process no longer leads: what only a leader knows is another's to say.
    pub(crate) fn stand_by(&self) {
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.series.leader.set(0);
        self.series.events_waiting.set(0);
        self.series.dead_letters.set(0);
        STATES.iter().for_each(|state| self.series.campaigns.of([state]).set(0));
        CHUNKS.iter().for_each(|state| self.series.chunks.of([state]).set(0));
        self.demand(&[]);
    }

    /// Says in which states campaigns are that are led.
    pub(crate) fn campaigns(&self, led: &[&str]) {
        for state in &STATES[..STATES.len() - ENDED_STATES] {
            let count = led.iter().filter(|found| *found == state).count();
            self.series.campaigns.of([state]).set(count as i64);
        }
    }

    /// Time since the leader's loop last turned; none while standing by.
    pub(crate) fn since_turn(&self) -> Option<Duration> {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner).map(|turned| turned.elapsed())
    }

    /// Says what is to be done, by model.
    pub(crate) fn demand(&self, models: &[ModelDemand]) {
        let series = &self.series;
        let of = |value: fn(&ModelDemand) -> f64| {
            models.iter().map(move |demand| (demand.model.as_str(), value(demand))).collect::<Vec<_>>()
        };
        series.finished_chunks_total.name(models.iter().map(|demand| demand.model.as_str()));
        series.backlog_messages.replace(of(|demand| demand.messages));
        series.backlog_tokens.replace(of(|demand| demand.tokens));
        series.backlog_gpu_seconds.replace(of(|demand| demand.gpu_seconds));
        series.wanted_workers.replace(of(|demand| demand.wanted_workers));
        series.workers.replace(of(|demand| demand.workers));
        series.seconds_per_token.replace(of(|demand| demand.seconds_per_token));
        series.late_campaigns.replace(of(|demand| demand.late_campaigns));
        series.deadline_margin_seconds.replace(of(|demand| demand.margin_s));
    }

    /// Counts the messages of a chunk that ended.
    pub(crate) fn messages(&self, outcomes: OutcomeCounts) {
        for outcome in Outcome::ALL {
            self.series.messages_total.of([outcome.as_str()]).inc_by(outcomes.get(outcome));
        }
    }

    /// Counts chunks that go to the queue again.
    pub(crate) fn again(&self, reason: &str, chunks: usize) {
        self.series.republished_chunks_total.of([reason]).inc_by(chunks as u64);
    }

    /// Takes the state of the connection over.
    pub(crate) fn link(&self, state: LinkState) {
        self.series.broker_connected.set(state.is_up.into());
        raise(&self.series.broker_reconnects_total, state.reconnections);
    }
}

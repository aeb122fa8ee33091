//! What a worker measures. No campaign, tenant or recipient is in a label.

use std::time::{Duration, Instant};

use copymill_broker::{BROKER_OPERATIONS, BROKER_RESULTS, LinkState};
use copymill_campaign::{Outcome, Reason};
use copymill_content::{CHECKS, Kind};
use copymill_engine::{EngineInfo, EngineStats, Generation};
use copymill_service::metrics::raise;
use copymill_store::{STORE_OPERATIONS, STORE_RESULTS};

/// What is in no list.
const OTHER: &str = "other";
/// The one failure of an attempt that no check of the copy finds.
const ENGINE_FAILED: &str = "engine_failed";
const CHUNK_RESULTS: [&str; 4] = ["done", "returned", "split", "failed"];
const INLINE_RESULTS: [&str; 4] = ["done", "replayed", "refused", "failed"];

/// The kinds that are shipped, and one word for those that users add.
fn kinds() -> Vec<&'static str> {
    Kind::built_in_names().chain([OTHER]).collect()
}

fn codes() -> Vec<&'static str> {
    CHECKS.iter().map(|(code, _)| *code).chain([ENGINE_FAILED, OTHER]).collect()
}

copymill_service::metrics! {
    /// What a worker measures.
    pub struct WorkerMetrics("copymill_worker") {
        /// Messages that ended, by the kind of the campaign and how.
        messages_total: IntCounter["kind" = kinds(); "outcome" = Outcome::ALL.map(Outcome::as_str)],
        /// Failed checks of attempts, by the code of docs/CHECKS.md.
        check_failures_total: IntCounter["code" = codes()],
        /// Attempts that a message took until it ended: three by default.
        message_attempts: Histogram(1.0, 2.0, 3.0, 4.0, 6.0, 8.0),
        /// Tokens of prompts that were computed.
        prompt_tokens_total: IntCounter,
        /// Tokens of prompts that were taken from another sequence instead of being computed.
        reused_tokens_total: IntCounter,
        /// Tokens of output, forced ones included.
        generation_tokens_total: IntCounter,
        /// Tokens of output that the schema forced, so that none was sampled.
        forced_tokens_total: IntCounter,
        /// Batches that were decoded.
        decode_steps_total: IntCounter,
        /// Tokens in the batches that were decoded; divided by the steps it is the mean batch.
        batch_tokens_total: IntCounter,
        /// Slots in use, summed over steps; divided by the steps it is the mean occupancy.
        busy_slot_steps_total: IntCounter,
        /// Time in which the engine had something to do: the GPU-seconds that were used.
        decode_seconds_total: Counter,
        /// Sequences that were put back for want of cells.
        preemptions_total: IntCounter,
        /// Slots in use at the moment.
        requests_running: IntGauge,
        /// Variants that wait for a slot at the moment.
        requests_waiting: IntGauge,
        /// Slots that there are.
        slots: IntGauge,
        /// Cells of the key-value cache in use, in tokens.
        kv_cells_used: IntGauge,
        /// Cells of the key-value cache that there are, in tokens.
        kv_cells: IntGauge,
        /// Wait of a variant until its first token was computed. The longest normal wait is two chunks.
        request_queue_time_seconds: Histogram(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
        /// Time from a request to its first token of output: 10 ms for an idle GPU and a shared prompt, two chunks where the queue is long.
        time_to_first_token_seconds: Histogram(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
        /// Mean time between two tokens of one output: 5 ms on a fast GPU, 200 ms on a busy CPU.
        time_per_output_token_seconds: Histogram(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
        /// Time of a row or segment from its prompt to its last variant's end, attempts included: a second on a GPU, minutes on a CPU.
        row_seconds: Histogram(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
        /// Time of a chunk from its delivery to its end; a chunk is made to take about a minute.
        chunk_seconds: Histogram(0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 90.0, 120.0, 240.0, 600.0),
        /// Chunks that ended, by how: `returned` went back to the leader, `split` is worked on in parts.
        chunks_total: IntCounter["result" = CHUNK_RESULTS],
        /// Chunks in hand at the moment.
        chunks_in_hand: IntGauge,
        /// Deliveries that were delivered before: their worker ended or lost its connection.
        redeliveries_total: IntCounter,
        /// Inline jobs that ended, by how: `replayed` ones were done before, `failed` ones went back to their queue.
        inline_jobs_total: IntCounter["result" = INLINE_RESULTS],
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
        /// 1 for the model that is loaded, which its labels describe.
        model_info: ModelInfo,
        /// Bytes of the model's weights.
        model_bytes: IntGauge,
        /// Tokens that prompt and output of one sequence may have together.
        model_context_tokens: IntGauge,
        /// Time that finding and loading the model took.
        model_load_seconds: Gauge,
        /// Memory of the device in bytes; 0 where the backend does not tell, as on the CPU.
        device_memory_bytes: IntGauge,
        /// Memory of the device in use, by anybody; 0 where the backend does not tell.
        device_memory_used_bytes: IntGauge,
        /// Time since the engine last moved on while it has work; 0 while it has none.
        engine_idle_seconds: Gauge,
        /// 1, with the version of the program in a label.
        build_info: BuildInfo,
    }
}

impl WorkerMetrics {
    /// Counts a message that ended after so many attempts; 0 where none was made.
    pub(crate) fn message(&self, kind: &str, outcome: Outcome, attempts: u32) {
        let kind = Kind::built_in_names().find(|built_in| *built_in == kind).unwrap_or(OTHER);
        self.messages_total.of([kind, outcome.as_str()]).inc();
        if attempts > 0 {
            self.message_attempts.observe(f64::from(attempts));
        }
    }

    /// Counts failed checks of attempts; why a row had none is no check.
    pub(crate) fn failures(&self, reasons: &[Reason]) {
        for reason in reasons.iter().filter(|reason| reason.attempt > 0) {
            let code = reason.code.as_str();
            let is_known = code == ENGINE_FAILED || CHECKS.iter().any(|(known, _)| *known == code);
            self.check_failures_total.of([if is_known { code } else { OTHER }]).inc();
        }
    }

    /// Takes the times of a variant over.
    pub(crate) fn generation(&self, generation: &Generation) {
        let timings = &generation.timings;
        self.request_queue_time_seconds.observe(timings.queued.as_secs_f64());
        self.time_to_first_token_seconds.observe(timings.first_token.as_secs_f64());
        if generation.tokens.generated > 1 {
            let writing = timings.total.saturating_sub(timings.first_token).as_secs_f64();
            let steps = f64::from(generation.tokens.generated - 1);
            self.time_per_output_token_seconds.observe(writing / steps);
        }
    }

    /// Says which model is loaded, under the name that the scheduler knows it by, too.
    pub(crate) fn loaded(&self, (model, sha256): (&str, &str), info: &EngineInfo, took: Duration) {
        let (bytes, context) = (info.model_bytes.to_string(), info.context_tokens.to_string());
        let (quantisation, architecture, device) = (&info.quantisation, &info.architecture, &info.device);
        self.model_info.say([model, sha256, quantisation, architecture, &bytes, &context, device]);
        self.slots.set(info.slots.into());
        self.model_bytes.set(i64::try_from(info.model_bytes).unwrap_or(i64::MAX));
        self.model_context_tokens.set(info.context_tokens.into());
        self.model_load_seconds.set(took.as_secs_f64());
    }

    /// Takes the engine's counters over.
    pub(crate) fn engine(&self, stats: &EngineStats) {
        raise(&self.prompt_tokens_total, stats.prompt_tokens);
        raise(&self.reused_tokens_total, stats.reused_tokens);
        raise(&self.generation_tokens_total, stats.generated_tokens);
        raise(&self.forced_tokens_total, stats.forced_tokens);
        raise(&self.decode_steps_total, stats.decode_steps);
        raise(&self.batch_tokens_total, stats.batch_tokens);
        raise(&self.busy_slot_steps_total, stats.busy_slot_steps);
        raise(&self.preemptions_total, stats.requeues);
        let decoded = stats.decode_time.as_secs_f64() - self.decode_seconds_total.get();
        self.decode_seconds_total.inc_by(decoded.max(0.0));
        self.requests_running.set(stats.running.into());
        self.requests_waiting.set(stats.queued.into());
        self.kv_cells_used.set(stats.cells_used.into());
        self.kv_cells.set(stats.cells_capacity.into());
        self.engine_idle_seconds.set(idle(stats).as_secs_f64());
    }

    /// Takes over how much of the device's memory is used, and how much there is.
    pub(crate) fn device_memory(&self, (used, total): (u64, u64)) {
        self.device_memory_used_bytes.set(i64::try_from(used).unwrap_or(i64::MAX));
        self.device_memory_bytes.set(i64::try_from(total).unwrap_or(i64::MAX));
    }

    /// Takes the state of the connection over.
    pub(crate) fn link(&self, state: LinkState) {
        self.broker_connected.set(state.is_up.into());
        raise(&self.broker_reconnects_total, state.reconnections);
    }
}

/// How long the engine has not moved on although it has work.
pub(crate) fn idle(stats: &EngineStats) -> Duration {
    Instant::now().saturating_duration_since(stats.last_progress)
}

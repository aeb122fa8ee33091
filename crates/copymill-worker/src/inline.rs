//! Inline jobs: rows that come in the message, answered with a message.
//!
//! The order is that of a chunk: the result durable in the store, then the producer told, then the delivery acknowledged.
//! Whoever gets the message again finds the result and tells it again.

mod answer;
mod job;
mod rows;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use copymill_broker::{Broker, BrokerError, Delivery, ReplyAddress};
use copymill_campaign::{
    InlineAnswer, InlineJob, InlineProblem, InputRow, ModelPin, OWN_QUEUES_PREFIX, inline_key, sha256_hex,
};
use copymill_engine::EngineError;
use copymill_store::{Condition, Put, Store};
use futures::future::try_join_all;
use tokio::sync::Semaphore;

use crate::{
    consume::WorkerError,
    workbench::{forgiving, has_stopped},
};
use crate::{
    output::{OutputObject, message_line},
    patience::Patience,
    settle::{Generator, Rules, Settled, Subject},
};
use job::Job;

/// How long an answer is tried: a queue that is full refuses it, and the worker has other work. The result is in the
/// store, and the same message again asks for it again.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// What inline jobs of one model are worked with.
pub(crate) struct InlineJobs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) generator: Generator,
    pub(crate) model: ModelPin,
    pub(crate) store_patience: Patience,
}

/// A message that is an inline job.
struct Letter {
    /// What its producer calls it.
    id: String,
    body: Bytes,
    body_sha256: String,
}

/// Why nothing is done about a message.
struct Refusal {
    /// For people: no recipient's values.
    reason: String,
    problems: Vec<InlineProblem>,
}

/// Why a message has no result.
enum Failure {
    /// It is not one that can have any.
    Refused(Refusal),
    /// Another try may succeed.
    Passing(anyhow::Error),
}

impl InlineJobs {
    /// Takes a delivery that is no chunk job. `room` holds a permit per message that may be under way.
    ///
    /// Where this is dropped half-way, the delivery goes back to its queue.
    pub(crate) async fn take(&self, delivery: Delivery, room: &Semaphore) -> Result<(), WorkerError> {
        let to = delivery.properties.reply_to.clone().filter(|to| !to.queue.is_empty());
        if let Some(to) = to.as_ref().filter(|to| to.queue.starts_with(OWN_QUEUES_PREFIX)) {
            let queue = &to.queue;
            let reason = format!("answers do not go to {queue:?}, a queue of Copymill itself");
            return Ok(forgiving(delivery.dead_letter(&reason).await)?);
        }
        let message_id = delivery.properties.message_id.clone().filter(|id| !id.is_empty());
        let settled = match self.work(delivery.body.clone(), message_id.clone(), room).await {
            Ok((answer, result)) => {
                self.count(result);
                self.answer(to.as_ref(), &answer).await;
                delivery.ack().await
            }
            Err(Failure::Refused(Refusal { reason, problems })) => {
                self.count("refused");
                let answer = InlineAnswer::Refused { v: 1, message_id, reason: reason.clone(), problems };
                self.answer(to.as_ref(), &answer).await;
                delivery.dead_letter(&reason).await
            }
            Err(Failure::Passing(error)) if has_stopped(&error) => return Err(WorkerError::EngineStopped),
            Err(Failure::Passing(error)) => {
                self.count("failed");
                tracing::warn!(error = format!("{error:#}"), "an inline job goes back to its queue");
                delivery.requeue().await
            }
        };
        Ok(forgiving(settled)?)
    }

    fn count(&self, result: &str) {
        self.generator.progress.metrics.inline_jobs_total.of([result]).inc();
    }

    /// Ends a job that ended every worker that began with it: its producer is told, and nobody gets it again.
    pub(crate) async fn give_up(&self, delivery: Delivery) -> Result<(), BrokerError> {
        let reason = "every worker that began with this job ended before it was done";
        self.count("refused");
        tracing::warn!("an inline job is given up: workers that had it ended");
        let to = delivery.properties.reply_to.clone();
        let to = to.filter(|to| !to.queue.is_empty() && !to.queue.starts_with(OWN_QUEUES_PREFIX));
        let message_id = delivery.properties.message_id.clone();
        let answer =
            InlineAnswer::Refused { v: 1, message_id, reason: reason.to_owned(), problems: Vec::new() };
        self.answer(to.as_ref(), &answer).await;
        delivery.dead_letter(reason).await
    }

    async fn work(
        &self,
        body: Bytes,
        message_id: Option<String>,
        room: &Semaphore,
    ) -> Result<(InlineAnswer, &'static str), Failure> {
        let job = InlineJob::parse(&body)
            .map_err(|why| Refusal::because(format!("no chunk job and no inline job: {why}")))?;
        let letter = Letter::new(message_id, body)?;
        let key = inline_key(&letter.id);
        if let Some(answer) = self.stored(&key, &letter).await? {
            return Ok((answer, "replayed"));
        }
        let (job, letter) = self.compile(job, letter).await?;
        tracing::info!(job.id = %job.campaign.id, job.rows = job.rows.len(), job.kind = job.campaign.file.kind, "an inline job");
        let object = Bytes::from(self.generate(&job, room).await.map_err(anyhow::Error::from)?);
        let put = || async { Ok(self.store.put(&key, object.clone(), Condition::IfAbsent).await?) };
        match self.store_patience.with(put).await? {
            Put::Stored(_) => Ok((answer::done(&key, &object)?.1, "done")),
            // Another worker was faster, or the answer to this very put was lost: what counts is what is stored.
            Put::Refused => {
                let stored = self.stored(&key, &letter).await?;
                let stored =
                    stored.ok_or_else(|| Failure::Passing(anyhow::anyhow!("{key} came and went")))?;
                Ok((stored, "done"))
            }
        }
    }

    /// The answer that is stored, where there is one; another body's is none of this message's business.
    async fn stored(&self, key: &str, letter: &Letter) -> Result<Option<InlineAnswer>, Failure> {
        let get = || async { Ok(self.store.get(key).await?) };
        let Some(object) = self.store_patience.with(get).await? else { return Ok(None) };
        let (header, answer) = answer::done(key, &object.body)?;
        if header.body_sha256 != letter.body_sha256 {
            return Err(Refusal::because(
                "its message_id was used before, for another body; give each job an id of its own",
            ));
        }
        Ok(Some(answer))
    }

    async fn compile(&self, job: InlineJob, letter: Letter) -> Result<(Job, Letter), Failure> {
        let model = self.model.clone();
        let compiling =
            tokio::task::spawn_blocking(move || job::compile(&letter, &job, &model).map(|job| (job, letter)));
        compiling.await.map_err(anyhow::Error::from)?.map_err(Failure::Refused)
    }

    /// Settles every row; the object in which they end.
    async fn generate(&self, job: &Job, room: &Semaphore) -> Result<Vec<u8>, EngineError> {
        // They wait for room in their order.
        let settled = try_join_all(job.rows.iter().map(|row| self.settle(job, row, room))).await?;
        let now = jiff::Timestamp::now().to_string();
        let mut output = OutputObject::described(&job.header);
        for (row, variants) in job.rows.iter().zip(&settled) {
            for (variant, settled) in (0..).zip(variants) {
                let line = message_line(&job.campaign, row, variant, settled, &now);
                output.message(&line, settled.rendered.as_deref());
            }
        }
        Ok(output.finish().0)
    }

    async fn settle(&self, job: &Job, row: &InputRow, room: &Semaphore) -> Result<Vec<Settled>, EngineError> {
        let variants = job.campaign.file.variants;
        if !row.status.is_ready() {
            let settled: Vec<Settled> =
                (0..variants).filter_map(|_| Settled::by_planning(&row.status)).collect();
            let kind = &job.campaign.file.kind;
            settled.iter().for_each(|settled| self.generator.progress.ended(kind, settled));
            return Ok(settled);
        }
        let _permits = room.acquire_many(variants).await.map_err(|_| EngineError::Stopped)?;
        let rules = Rules { campaign: &job.campaign, content: &job.content, constraint: &job.constraint };
        let prompt_values = job.content.prompt_values(&row.values);
        let seed_key = format!("{}/{}", job.header.message_id, row.row);
        self.generator.settle(&rules, &Subject { seed_key, prompt_values, row: Some(&row.values) }).await
    }

    /// Tells the producer, where one waits. Nobody there, or no room in its queue, is its own affair.
    async fn answer(&self, to: Option<&ReplyAddress>, answer: &InlineAnswer) {
        let Some(to) = to else { return };
        let body = serde_json::to_vec(answer).expect("an answer serialises");
        match tokio::time::timeout(ANSWER_PATIENCE, self.broker.reply(to, body.into())).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => tracing::info!(queue = to.queue, "nobody takes the answer to an inline job"),
            Ok(Err(error)) => tracing::warn!(%error, "an inline job was not answered"),
            Err(_) => tracing::warn!(queue = to.queue, "a queue does not take the answer to an inline job"),
        }
    }
}

impl Letter {
    fn new(id: Option<String>, body: Bytes) -> Result<Self, Failure> {
        let id = id.ok_or_else(|| {
            Refusal::because(
                "it has no message_id; set that property, so that the job can be sent again without harm",
            )
        })?;
        Ok(Self { id, body_sha256: sha256_hex(&body), body })
    }
}

impl Refusal {
    fn because(reason: impl Into<String>) -> Failure {
        Failure::Refused(Self { reason: reason.into(), problems: Vec::new() })
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Passing(error)
    }
}

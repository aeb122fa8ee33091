//! A worker that waits as long as a GPU would take, and does everything else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use copymill_broker::{Broker, Delivery};
use copymill_campaign::{
    CampaignId, CampaignKeys, ChunkJob, ChunkResult, EVENTS_QUEUE, Event, HEARTBEATS_TOPIC, Heartbeat,
    HeldChunk, LineWriter, ModelPin, Outcome, OutcomeCounts, OutputLine, TokenUse, decode_input, jobs_queue,
    sha256_hex,
};
use copymill_store::{Condition, Store};
use tokio::sync::mpsc::UnboundedSender;

/// Heartbeats while a chunk is in hand: several before a worker counts as silent.
const BEAT_EVERY: Duration = Duration::from_secs(10);

/// What a GPU can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gpu {
    pub(super) messages_per_s: f64,
}

/// Works until it is aborted; says which campaign's chunk it begins.
pub(super) async fn simulate(
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    (model, gpu): (ModelPin, Gpu),
    begun: UnboundedSender<CampaignId>,
) -> anyhow::Result<()> {
    let name = ulid::Ulid::generate().to_string();
    let mut jobs = broker.consume(&jobs_queue(&model), 1).await?;
    while let Some(delivery) = jobs.next().await? {
        let job: ChunkJob = serde_json::from_slice(&delivery.body)?;
        let _ = begun.send(job.campaign.clone());
        let beat = Heartbeat {
            v: 1,
            worker: name.clone(),
            model: model.clone(),
            chunks: vec![HeldChunk::from(&job)],
            is_waiting: false,
            messages: 0,
            tokens: 0,
            busy_s: 0.0,
        };
        let worked = work(&broker, store.as_ref(), job, (&model, gpu));
        tokio::select! {
            worked = worked => settle(worked?, &broker, delivery).await?,
            never = keep_saying(&broker, &beat) => never?,
        }
    }
    Ok(())
}

async fn keep_saying(broker: &Arc<dyn Broker>, beat: &Heartbeat) -> anyhow::Result<()> {
    let body = bytes::Bytes::from(serde_json::to_vec(beat)?);
    loop {
        tokio::time::sleep(BEAT_EVERY).await;
        broker.broadcast(HEARTBEATS_TOPIC, body.clone()).await?;
    }
}

async fn work(
    broker: &Arc<dyn Broker>,
    store: &dyn Store,
    job: ChunkJob,
    (model, gpu): (&ModelPin, Gpu),
) -> anyhow::Result<Event> {
    tell(broker, &Event::Started { job: job.clone(), worker: String::new() }).await?;
    let keys = CampaignKeys::under(job.root.clone());
    let input = store.get(&keys.input(job.kind, &job.chunk)).await?.context("an input is missing")?;
    let (header, rows) = decode_input(&input.body)?;
    tokio::time::sleep(Duration::from_secs_f64(rows.len() as f64 / gpu.messages_per_s)).await;
    let mut writer = LineWriter::new();
    for row in &rows {
        writer.push(&OutputLine {
            v: 1,
            campaign: job.campaign.clone(),
            row: row.row,
            recipient_id: row.recipient_id.clone(),
            variant: 0,
            outcome: Outcome::Generated,
            content: None,
            rendered: None,
            reasons: Vec::new(),
            attempt: 1,
            seed: None,
            finish_reason: None,
            tokens: TokenUse::default(),
            model_sha256: model.sha256.clone(),
            prompt_sha256: None,
            suppression: None,
            segment: None,
            generated_at: String::new(),
        });
    }
    let object = writer.finish();
    let mut outcomes = OutcomeCounts::default();
    outcomes.add(Outcome::Generated, rows.len() as u64);
    let result = ChunkResult {
        sha256: sha256_hex(&object),
        bytes: object.len() as u64,
        rows: header.rows,
        outcomes,
        reasons: Default::default(),
        tokens: TokenUse::default(),
    };
    store.put(&keys.output(job.kind, &job.chunk), object.into(), Condition::IfAbsent).await?;
    Ok(Event::Done { job, result })
}

async fn settle(done: Event, broker: &Arc<dyn Broker>, delivery: Delivery) -> anyhow::Result<()> {
    tell(broker, &done).await?;
    Ok(delivery.ack().await?)
}

async fn tell(broker: &Arc<dyn Broker>, event: &Event) -> anyhow::Result<()> {
    Ok(broker.publish(EVENTS_QUEUE, serde_json::to_vec(event)?.into()).await?)
}

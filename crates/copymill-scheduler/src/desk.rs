//! Leading all campaigns of a store: who is told what, and what happens when one ends.

mod figures;
mod workers;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use copymill_broker::{Broker, Delivery};
use copymill_campaign::{
    ACTIVE_PREFIX, CONTROL_QUEUE, CampaignId, CampaignKeys, CampaignState, EVENTS_QUEUE, Event,
    HEARTBEATS_TOPIC, Heartbeat, ModelPin, Order, jobs_queue, later_version,
};
use copymill_service::{Shutdown, traces};
use copymill_store::Store;
use copymill_suppression::Lists;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tracing::Instrument;

use crate::{
    demand::Assumptions,
    intake::load,
    lead::{Begun, Ended, Leader, Note, Notes, Signals, lasts, passes},
    lease::Lease,
    metrics::SchedulerMetrics,
    office::active,
    source::Source,
    state_file::StateFile,
    window::Window,
};
use figures::Led;
use workers::Workers;

/// Events and orders in hand at once.
const IN_HAND: u16 = 64;
/// Notes that wait for one campaign's leader.
const NOTES: usize = 256;
/// How often the store is looked through for campaigns that nobody told of.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often queues are looked at for what they lost.
const QUEUES_EVERY: Duration = Duration::from_secs(3);
/// A broker that does not say within this time how long a queue is, is asked at the next look.
const QUEUE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long campaigns that are no longer led are waited for: they write down how they stand.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);
/// How long a campaign whose leading failed on store or broker waits for its next try.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What leading needs.
#[derive(Clone)]
pub struct Desk {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where jobs go and events come from.
    pub broker: Arc<dyn Broker>,
    /// Folder for audiences while they are read.
    pub scratch: PathBuf,
    /// Where suppression lists are found.
    pub lists: Arc<Lists>,
    /// Chunks of one model that are published at once.
    pub window: usize,
    /// Tokens that the answers of one chunk may have together.
    pub chunk_tokens: u64,
    /// What it measures.
    pub metrics: Arc<SchedulerMetrics>,
    /// Tokens that a worker is assumed to generate in a second until one has.
    pub assumed_tokens_per_s: f64,
    /// What else predictions assume.
    pub(crate) assumptions: Assumptions,
}

/// The campaigns that are led.
struct Campaigns {
    desk: Desk,
    lease: Arc<Lease>,
    windows: HashMap<String, Window>,
    notes: HashMap<CampaignId, Led>,
    /// Models of campaigns that were led, by their queues.
    seen_models: HashMap<String, ModelPin>,
    led: JoinSet<(CampaignId, anyhow::Result<Ended>)>,
    later: HashMap<CampaignId, Instant>,
    /// Orders about campaigns that the store does not give at the moment; the prefetch bounds them.
    waiting_orders: Vec<(Order, Delivery)>,
    draining: watch::Receiver<bool>,
}

impl Desk {
    /// Leads until the process drains or the lease is lost.
    pub async fn lead(&self, lease: Arc<Lease>, shutdown: Shutdown) -> anyhow::Result<()> {
        let opening = async {
            let events = self.broker.consume(EVENTS_QUEUE, IN_HAND).await?;
            let orders = self.broker.consume(CONTROL_QUEUE, IN_HAND).await?;
            anyhow::Ok((events, orders, self.broker.listen(HEARTBEATS_TOPIC).await?))
        };
        let (mut events, mut orders, mut heartbeats) = tokio::select! {
            opened = opening => opened?,
            () = shutdown.drain_requested() => return Ok(()),
            () = lease.lost() => return Ok(()),
        };
        let (drain, draining) = watch::channel(false);
        let mut campaigns = Campaigns {
            desk: self.clone(),
            lease: lease.clone(),
            windows: HashMap::new(),
            notes: HashMap::new(),
            seen_models: HashMap::new(),
            led: JoinSet::new(),
            later: HashMap::new(),
            waiting_orders: Vec::new(),
            draining,
        };
        let mut workers = Workers::default();
        let (mut look, mut queues) = (tokio::time::interval(LOOK_EVERY), tokio::time::interval(QUEUES_EVERY));
        // A look that takes longer than the time between two, as at a broker that is away, is not made up for.
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        queues.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.metrics.turn();
            tokio::select! {
                // Whatever else there is to do: first the end, then what comes seldom, then what comes in floods.
                biased;
                () = shutdown.drain_requested() => break,
                () = lease.lost() => break,
                Some(ended) = campaigns.led.join_next() => campaigns.ended(ended.context("a leader panicked")?),
                _ = look.tick() => campaigns.look().await?,
                _ = queues.tick() => {
                    campaigns.look_at_queues(&mut workers).await;
                    campaigns.look_at_own_queues().await;
                    campaigns.tell_figures(&mut workers);
                }
                heartbeat = heartbeats.next() => {
                    let body = heartbeat?.context("the broker was closed")?;
                    campaigns.take_heartbeat(&body, &mut workers);
                }
                order = orders.next() => campaigns.take_order(order?.context("the broker was closed")?).await?,
                event = events.next() => campaigns.take_event(event?.context("the broker was closed")?).await?,
            }
        }
        drain.send_replace(true);
        campaigns.notes.clear();
        self.metrics.stand_by();
        let leaving = async { while campaigns.led.join_next().await.is_some() {} };
        if tokio::time::timeout(LEAVES_WITHIN, leaving).await.is_err() {
            // They wait for a broker that is away. Whoever leads next begins from the store, as after a crash.
            tracing::warn!("campaigns are left as they are: store or broker do not answer");
            campaigns.led.shutdown().await;
        }
        Ok(())
    }
}

impl Campaigns {
    /// Begins to lead every campaign that is marked as unfinished.
    async fn look(&mut self) -> anyhow::Result<()> {
        if let Err(error) = self.try_look().await {
            tracing::warn!(
                error = format!("{error:#}"),
                "the store could not be looked through; trying again"
            );
        }
        for (order, delivery) in std::mem::take(&mut self.waiting_orders) {
            self.follow(order, delivery).await?;
        }
        Ok(())
    }

    async fn try_look(&mut self) -> anyhow::Result<()> {
        for id in active(self.desk.store.as_ref()).await? {
            // One that cannot be read holds up no other.
            if let Err(error) = self.begin(&id).await {
                tracing::warn!(campaign.id = %id, error = format!("{error:#}"), "a campaign cannot be led; trying again");
                self.later.insert(id, Instant::now() + TRY_AGAIN_AFTER);
            }
        }
        Ok(())
    }

    /// Begins to lead a campaign, unless it is led already or its time for another try has not come.
    async fn begin(&mut self, id: &CampaignId) -> anyhow::Result<()> {
        let waits = self.later.get(id).is_some_and(|until| Instant::now() < *until);
        if waits || self.notes.contains_key(id) {
            return Ok(());
        }
        let keys = CampaignKeys::of(id);
        // The mark is put first: a campaign that never came to be accepted has nothing else.
        let Some(campaign) = load(self.desk.store.as_ref(), &keys).await? else { return Ok(()) };
        let campaign = Arc::new(campaign);
        let window = self.windows.entry(jobs_queue(&campaign.model));
        let window =
            window.or_insert_with(|| Window::new(self.desk.window)).join(f64::from(campaign.file.weight));
        let share = window.share();
        let leader = Leader {
            store: self.desk.store.clone(),
            broker: self.desk.broker.clone(),
            keys,
            campaign: campaign.clone(),
            lease: self.lease.clone(),
            window,
            is_attended: true,
            chunk_tokens: self.desk.chunk_tokens,
            metrics: self.desk.metrics.clone(),
        };
        // As an earlier leader left it: what is counted anew from the objects must not look like work to do meanwhile.
        let before = StateFile::open(self.desk.store.clone(), &leader.keys).await?.state;
        let counted = before.totals.clone();
        let (progress, state) = watch::channel(before);
        let (notes, notes_taken) = mpsc::channel(NOTES);
        self.seen_models.insert(jobs_queue(&campaign.model), campaign.model.clone());
        self.notes.insert(id.clone(), Led { campaign: campaign.clone(), notes, state, share, counted });
        let (id, draining, desk) = (id.clone(), self.draining.clone(), self.desk.clone());
        tracing::info!(campaign.id = %id, campaign.name = campaign.file.campaign, "leading a campaign");
        self.led.spawn(async move { (id, lead_one(leader, (notes_taken, progress), draining, &desk).await) });
        Ok(())
    }

    fn ended(&mut self, (id, ended): (CampaignId, anyhow::Result<Ended>)) {
        self.notes.remove(&id);
        match ended {
            Ok(ended) => {
                self.count_end(ended);
                tracing::info!(campaign.id = %id, ?ended, "a campaign is no longer led");
            }
            Err(error) => {
                tracing::warn!(campaign.id = %id, error = format!("{error:#}"), "leading a campaign failed; trying again");
                self.later.insert(id, Instant::now() + TRY_AGAIN_AFTER);
            }
        }
    }

    async fn take_event(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        let event: Event = match serde_json::from_slice(&delivery.body) {
            Ok(event) => event,
            Err(error) => return give_up(delivery, &format!("no event: {error}")).await,
        };
        if let Some(reason) = later_version("event", event.job().v) {
            return give_up(delivery, &reason).await;
        }
        let id = event.job().campaign.clone();
        self.tell(&id, Note::Event(Box::new(event), delivery)).await
    }

    async fn take_order(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        let order: Order = match serde_json::from_slice(&delivery.body) {
            Ok(order) => order,
            Err(error) => return give_up(delivery, &format!("no order: {error}")).await,
        };
        if let Some(reason) = later_version("order", order.v) {
            return give_up(delivery, &reason).await;
        }
        let (campaign, action) = (&order.campaign, order.action);
        let span = tracing::debug_span!("order", campaign.id = %campaign, order.action = action.as_str());
        traces::follow(&span, delivery.properties.trace.as_deref());
        self.follow(order, delivery).instrument(span).await
    }

    /// Does what an order says. Where the store fails, the order stays in hand until it does not.
    async fn follow(&mut self, order: Order, delivery: Delivery) -> anyhow::Result<()> {
        self.later.remove(&order.campaign);
        match self.begin(&order.campaign).await {
            Ok(()) => self.tell(&order.campaign, Note::Order(order.action, delivery)).await,
            Err(error) if passes(&error) => {
                tracing::warn!(campaign.id = %order.campaign, error = format!("{error:#}"), "an order waits for the store");
                self.waiting_orders.push((order, delivery));
                Ok(())
            }
            Err(error) => give_up(delivery, &format!("the campaign cannot be led: {error:#}")).await,
        }
    }

    /// Tells the leader of a campaign; where nobody leads it any more, there is nothing to tell.
    async fn tell(&mut self, id: &CampaignId, note: Note) -> anyhow::Result<()> {
        let Some(led) = self.notes.get(id) else { return settle(note).await };
        match led.notes.send(note).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendError(note)) => settle(note).await,
        }
    }

    fn take_heartbeat(&mut self, body: &[u8], workers: &mut Workers) {
        let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(body) else { return };
        let heartbeat = Arc::new(heartbeat);
        for id in heartbeat.chunks.iter().map(|held| &held.campaign).collect::<std::collections::HashSet<_>>()
        {
            if let Some(led) = self.notes.get(id) {
                // The next heartbeat says the same.
                let _ = led.notes.try_send(Note::Alive(heartbeat.clone()));
            }
        }
        workers.heard(heartbeat);
    }

    /// The messages of a queue; none while the broker is away. The loop turns on meanwhile.
    async fn depth(&self, queue: &str) -> Option<u64> {
        let asked = tokio::time::timeout(QUEUE_ANSWERS_WITHIN, self.desk.broker.depth(queue)).await;
        asked.ok()?.ok()
    }

    /// Tells campaigns whose model's queue is empty while all of its workers wait.
    async fn look_at_queues(&mut self, workers: &mut Workers) {
        let models: HashMap<String, ModelPin> =
            self.notes.values().map(|led| (jobs_queue(led.model()), led.model().clone())).collect();
        for (queue, model) in models {
            let Some(depth) = self.depth(&queue).await else { return };
            if !workers.is_idle(&model, &queue, depth == 0) {
                continue;
            }
            for led in self.notes.values().filter(|led| *led.model() == model) {
                let _ = led.notes.try_send(Note::Idle);
            }
        }
    }
}

/// Leads one campaign to its end. The mark goes last.
async fn lead_one(
    leader: Leader,
    (notes, progress): (mpsc::Receiver<Note>, watch::Sender<CampaignState>),
    draining: watch::Receiver<bool>,
    desk: &Desk,
) -> anyhow::Result<Ended> {
    let (store, mark) = (leader.store.clone(), format!("{ACTIVE_PREFIX}{}", leader.campaign.id));
    let (_gone, workers_gone) = watch::channel(true);
    let mut signals = Signals { draining, workers_gone, progress };
    let mut notes = Notes::Routed(notes);
    let led = async {
        if let Some(ended) = leader.rework(&mut notes, &mut signals).await? {
            return Ok(ended);
        }
        let suppression = match leader.begin(&desk.lists, &mut notes, &mut signals).await? {
            Begun::With(list) => list,
            Begun::Ended(ended) => return Ok(ended),
        };
        let source = Source::fetch(store.as_ref(), &leader.campaign, &desk.scratch).await?;
        leader.lead(Source { suppression, ..source }, &mut notes, &mut signals).await
    };
    let ended = match led.await {
        Ok(ended) => ended,
        Err(error) if lasts(&error) => {
            leader.hold_for(&error).await?;
            return Err(error);
        }
        Err(error) if passes(&error) => return Err(error),
        Err(error) => leader.fail(&error).await?,
    };
    if ended != Ended::Stopped {
        store.delete(&mark).await?;
    }
    Ok(ended)
}

async fn settle(note: Note) -> anyhow::Result<()> {
    let (Note::Event(_, delivery) | Note::Order(_, delivery)) = note else { return Ok(()) };
    match delivery.ack().await {
        Err(error) if !error.is_returned => Err(error.into()),
        _ => Ok(()),
    }
}

async fn give_up(delivery: Delivery, reason: &str) -> anyhow::Result<()> {
    match delivery.dead_letter(reason).await {
        Err(error) if !error.is_returned => Err(error.into()),
        _ => Ok(()),
    }
}

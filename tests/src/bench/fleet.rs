//! A fleet that no machine here could be: a thousand workers that only wait as long as a GPU would take, and a hundred
//! campaigns that share them by weight. Scheduler, broker and store are real.

mod worker;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use copymill_broker::{Broker, RabbitBroker};
use copymill_campaign::{Action, CampaignId, ModelPin};
use copymill_scheduler::{
    office::{Office, Submission},
    prepare,
};
use copymill_service::settings;
use copymill_worker::program::Settings;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::inputs::{own, places_in, write_recipients};
use super::machine::{QueueWatch, peak_resident_bytes};
use super::store::{open, state};
use super::{count, line, note, title};
use crate::local_cluster::{Crew, Place};
use worker::{Gpu, simulate};

/// Connections that the workers share.
const CONNECTIONS: usize = 20;
/// Weights of the campaigns, one after the other.
const WEIGHTS: [u32; 4] = [1, 2, 3, 4];
/// What is promised: how far a campaign's share may be from its weight.
const OFF: f64 = 0.10;
const SCHEDULER_BYTES: u64 = 512 << 20;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So few that chunks are as long as they may be: 500 rows.
const TOKENS: u32 = 12;
/// Campaigns that are looked at at once.
const AT_ONCE: usize = 8;

/// Share a simulated fleet of workers between many campaigns
#[derive(clap::Args)]
pub struct Fleet {
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 1000)]
    workers: usize,
    /// Campaigns, with weights from 1 to 4
    #[arg(long, value_name = "N", default_value_t = 100)]
    campaigns: u32,
    /// Recipients of each campaign
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    recipients: u64,
    /// Messages that a GPU writes in a second: an assumption until yours is measured
    #[arg(long, value_name = "RATE", default_value_t = 50.0)]
    messages_per_s: f64,
    /// How many times slower time passes than it would
    #[arg(long, value_name = "TIMES", default_value_t = 4.0)]
    slower: f64,
}

/// What became of the campaigns.
struct Shared {
    /// Chunks that were begun until the first campaign had none left, by campaign.
    begun: HashMap<CampaignId, u64>,
    seconds: f64,
}

impl Fleet {
    /// Measures, prints, and fails where a promise is broken.
    pub async fn execute(self) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let place = Place::new(folder.path().join("cluster"))?;
        let window = (2 * self.workers).to_string();
        let environment = [("COPYMILL_SCHEDULER__WINDOW", window.as_str())];
        let cluster =
            place.start(&Crew { worker: "copymill-worker", workers: 0, environment: &environment })?;
        let settings: Settings = settings::load(Some(&place.settings()))?;
        let broker = RabbitBroker::connect(&settings.broker).await?;
        let told: Arc<dyn Broker> = Arc::new(broker.clone());
        let office = Office { store: open(&place, &cluster).await?, broker: Some(told) };
        note(format_args!("submitting {} campaigns", self.campaigns));
        let (weights, model) = self.submit(folder.path(), &office).await?;
        self.wait_until_planned(&office, &weights).await?;

        let gpu = Gpu { messages_per_s: self.messages_per_s / self.slower };
        let (begun, heard) = mpsc::unbounded_channel();
        let mut workers = Vec::new();
        for number in 0..CONNECTIONS.min(self.workers) {
            let connection: Arc<dyn Broker> = Arc::new(RabbitBroker::connect(&settings.broker).await?);
            let share = (self.workers + CONNECTIONS - 1 - number) / CONNECTIONS;
            for _ in 0..share {
                let (connection, store) = (connection.clone(), office.store.clone());
                workers.push(tokio::spawn(simulate(connection, store, (model.clone(), gpu), begun.clone())));
            }
        }
        drop(begun);
        let queues = QueueWatch::begin(&cluster.broker);
        let shared = self.share(&office, &weights, heard).await?;
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        let (most_jobs, _) = queues.end();
        let peak = peak_resident_bytes(cluster.programs[0].1.pid())?;
        broker.close().await;
        cluster.stop();
        self.print(&shared, &weights, (most_jobs, peak))
    }

    /// Submits all campaigns paused, so that all of them begin together; their weights, and the model's pin.
    async fn submit(
        &self,
        folder: &Path,
        office: &Office,
    ) -> anyhow::Result<(HashMap<CampaignId, u32>, ModelPin)> {
        write_recipients(&folder.join("recipients.csv"), self.recipients)?;
        let (mut weights, mut model) = (HashMap::new(), None);
        for (number, weight) in (0..self.campaigns).zip(WEIGHTS.into_iter().cycle()) {
            fs::write(folder.join("campaign.yaml"), own(&format!("fleet-{number:03}"), weight, TOKENS))?;
            let prepared = prepare(&folder.join("campaign.yaml"), &places_in(&folder.join("cache"))).await?;
            let id = office.submit(&prepared, &Submission::default()).await?.id;
            office.order(&id, Action::Pause).await?;
            model.get_or_insert(prepared.accepted.model.clone());
            weights.insert(id, weight);
        }
        Ok((weights, model.context("at least one campaign is needed")?))
    }

    /// Waits until every campaign rests with all of its chunks cut.
    async fn wait_until_planned(
        &self,
        office: &Office,
        weights: &HashMap<CampaignId, u32>,
    ) -> anyhow::Result<()> {
        note(format_args!("waiting until all of them are cut"));
        loop {
            let states = stream::iter(weights.keys()).map(|id| state(office.store.as_ref(), id));
            let states: Vec<_> = states.buffer_unordered(AT_ONCE).try_collect().await?;
            let is_ready = |state: &Option<copymill_campaign::CampaignState>| {
                state.as_ref().is_some_and(|state| state.paused && state.phase.as_str() == "running")
            };
            if states.iter().all(is_ready) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Lets all campaigns go and follows them to their ends.
    async fn share(
        &self,
        office: &Office,
        weights: &HashMap<CampaignId, u32>,
        mut heard: mpsc::UnboundedReceiver<CampaignId>,
    ) -> anyhow::Result<Shared> {
        let started = Instant::now();
        let resumed = stream::iter(weights.keys()).map(|id| office.order(id, Action::Resume));
        resumed.buffer_unordered(weights.len()).try_collect::<Vec<()>>().await?;
        let chunks = self.chunks(office, weights).await?;
        let (mut begun, mut all_have_work) = (HashMap::<CampaignId, u64>::new(), true);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut open: Vec<&CampaignId> = weights.keys().collect();
        while !open.is_empty() {
            tokio::select! {
                Some(id) = heard.recv() => {
                    if all_have_work {
                        let count = begun.entry(id).or_default();
                        *count += 1;
                        all_have_work = *count < chunks;
                    }
                }
                _ = look.tick() => {
                    // One campaign is enough to wait for; then the next one.
                    while let Some(id) = open.last() {
                        let state = state(office.store.as_ref(), id).await?.context("a state vanished")?;
                        ensure!(state.failure.is_none(), "a campaign failed: {:?}", state.failure);
                        if state.phase.as_str() != "completed" {
                            break;
                        }
                        ensure!(state.totals.outcomes.generated == self.recipients, "messages are missing");
                        open.pop();
                    }
                }
            }
        }
        Ok(Shared { begun, seconds: started.elapsed().as_secs_f64() })
    }

    /// How many chunks each campaign has.
    async fn chunks(&self, office: &Office, weights: &HashMap<CampaignId, u32>) -> anyhow::Result<u64> {
        let any = weights.keys().next().context("at least one campaign is needed")?;
        let state = state(office.store.as_ref(), any).await?.context("a state vanished")?;
        Ok(state.chunks_planned.into())
    }

    fn print(
        &self,
        shared: &Shared,
        weights: &HashMap<CampaignId, u32>,
        (most_jobs, peak): (u64, u64),
    ) -> anyhow::Result<()> {
        let messages = u64::from(self.campaigns) * self.recipients;
        let fleet = self.workers as f64 * self.messages_per_s / self.slower;
        let (all, sum) =
            (shared.begun.values().sum::<u64>() as f64, f64::from(weights.values().sum::<u32>()));
        let shares: Vec<f64> = weights
            .iter()
            .map(|(id, weight)| {
                let begun = shared.begun.get(id).copied().unwrap_or_default() as f64;
                begun / (all * f64::from(*weight) / sum)
            })
            .collect();
        let (least, most) =
            (shares.iter().copied().fold(f64::MAX, f64::min), shares.iter().copied().fold(0.0, f64::max));
        let rate = messages as f64 / shared.seconds;
        title(format_args!(
            "{} simulated workers, {} campaigns of {} recipients, weights 1 to 4",
            count(self.workers as u64),
            self.campaigns,
            count(self.recipients)
        ));
        line(
            "messages/s of a GPU, and how much slower",
            format_args!("{}, {} times", self.messages_per_s, self.slower),
        );
        line("all campaigns are completed after", format_args!("{:.0} s", shared.seconds));
        line(
            "messages/s",
            format_args!("{} of {} that the fleet could do", count(rate as u64), count(fleet as u64)),
        );
        line("chunks begun while all had work", count(all as u64));
        line("share of a campaign over its weight's", format_args!("{least:.3} to {most:.3}"));
        line("most jobs on the broker", format_args!("{most_jobs} (window {})", 2 * self.workers));
        line("scheduler's memory at most", format_args!("{} MiB", peak >> 20));
        ensure!(least >= 1.0 - OFF && most <= 1.0 + OFF, "a share is off by more than {:.0} %", OFF * 100.0);
        ensure!(peak <= SCHEDULER_BYTES, "the scheduler took more memory than is promised");
        Ok(())
    }
}

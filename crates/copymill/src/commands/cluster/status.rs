//! `copymill status`: how campaigns of a cluster stand, and progress bars.

use std::{
    collections::HashMap,
    io::IsTerminal,
    time::{Duration, Instant},
};

use clap::Args;
use copymill_broker::{Broker, Listener};
use copymill_campaign::{CampaignId, HEARTBEATS_TOPIC, Heartbeat, ModelPin};
use copymill_scheduler::office::CampaignStatus;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Cluster;
use crate::{
    exit::Exit,
    output::{self, item},
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Without a terminal, a line this often.
const LINE_EVERY: u32 = 5;
/// Rates are those of this many looks.
const RATE_LOOKS: usize = 15;
/// A worker that was not heard of for this long is not counted.
const WORKER_GONE: Duration = Duration::from_secs(10);
const NAMES: usize = 10;
const NOTHING: &str = "no campaign is under way; `copymill list` names all";

/// Show how campaigns stand
///
/// Without a campaign: all that are not ended. With `--watch`, progress bars with rate, time left and workers, until
/// the campaign (or all of them) has ended, or is held until somebody resumes it.
#[derive(Args)]
#[command(after_help = "Examples:\n  copymill status spring-sale\n  copymill status --watch")]
pub(crate) struct Status {
    /// The campaign's id, or its name: the latest of that name
    campaign: Option<String>,
    /// Shows progress until it has ended
    #[arg(long)]
    watch: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

impl Status {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let cluster = Cluster::reach().await?;
        let id = match &self.campaign {
            Some(named) => Some(cluster.campaign(named).await?),
            None => None,
        };
        if self.watch {
            return watch(&cluster, id).await;
        }
        let campaigns = look(&cluster, id.as_ref()).await?;
        if campaigns.is_empty() {
            output::note(NOTHING);
        }
        for campaign in &campaigns {
            if self.json { output::line(campaign.summary()) } else { describe(campaign) }
        }
        Ok(Exit::Done)
    }
}

async fn look(cluster: &Cluster, id: Option<&CampaignId>) -> anyhow::Result<Vec<CampaignStatus>> {
    let office = cluster.looking();
    match id {
        Some(id) => Ok(vec![office.status(id).await?]),
        None => office.unfinished().await,
    }
}

fn describe(campaign: &CampaignStatus) {
    let (accepted, state) = (&campaign.accepted, &campaign.state);
    output::line(format_args!("{} ({})", accepted.file.campaign, accepted.id));
    let outcomes = &state.totals.outcomes;
    let mut lines = vec![
        ("state", campaign.word().to_owned()),
        ("messages", format!("{} of {}", output::count(campaign.done()), output::count(campaign.messages()))),
        (
            "outcomes",
            format!(
                "{} generated, {} fallback, {} rejected, {} suppressed, {} invalid",
                output::count(outcomes.generated),
                output::count(outcomes.fallback),
                output::count(outcomes.rejected),
                output::count(outcomes.suppressed),
                output::count(outcomes.invalid)
            ),
        ),
        (
            "chunks",
            format!(
                "{} of {} cut",
                output::count(state.chunks_done.into()),
                output::count(state.chunks_planned.into())
            ),
        ),
        ("accepted", accepted.accepted_at.clone()),
    ];
    lines.extend(state.failure.clone().map(|failure| ("failure", failure)));
    lines.extend(advice(campaign).map(|advice| ("held", advice)));
    for (name, text) in lines {
        output::line(item(name, NAMES, text));
    }
}

/// Why a campaign is held, and what to do; none where it is not.
fn advice(campaign: &CampaignStatus) -> Option<String> {
    let why = campaign.state.held.as_ref()?;
    Some(format!("{why}; mend that, then `copymill resume {}`", campaign.accepted.id))
}

/// Shows progress until the campaign, or all that are under way, has ended or is held.
pub(super) async fn watch(cluster: &Cluster, id: Option<CampaignId>) -> anyhow::Result<Exit> {
    let broker = cluster.broker().await?;
    let mut workers = Workers { heard: HashMap::new(), heartbeats: broker.listen(HEARTBEATS_TOPIC).await? };
    let mut bars = Bars::new();
    let mut campaigns: Vec<CampaignStatus> = look(cluster, id.as_ref()).await?;
    if campaigns.is_empty() {
        output::note(NOTHING);
    }
    let mut ids: Vec<CampaignId> = campaigns.iter().map(|campaign| campaign.accepted.id.clone()).collect();
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        bars.show(&campaigns, &workers);
        if campaigns.iter().all(|campaign| campaign.state.is_over() || campaign.state.held.is_some()) {
            break;
        }
        tokio::select! {
            _ = every.tick() => {}
            heard = workers.hear() => { heard?; continue }
        }
        if id.is_none() {
            let begun = look(cluster, None).await?.into_iter().map(|campaign| campaign.accepted.id);
            ids.extend(begun.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
        }
        let mut now = Vec::new();
        for id in &ids {
            now.push(cluster.looking().status(id).await?);
        }
        campaigns = now;
    }
    bars.finish();
    campaigns.iter().for_each(describe);
    broker.close().await;
    let completed = campaigns.iter().all(|campaign| campaign.state.phase.as_str() == "completed");
    Ok(if completed { Exit::Done } else { Exit::Failed })
}

/// Workers that say something.
struct Workers {
    heard: HashMap<String, (Instant, ModelPin)>,
    heartbeats: Box<dyn Listener>,
}

impl Workers {
    async fn hear(&mut self) -> anyhow::Result<()> {
        if let Some(body) = self.heartbeats.next().await?
            && let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(&body)
        {
            self.heard.insert(heartbeat.worker, (Instant::now(), heartbeat.model));
        }
        Ok(())
    }

    /// Those that live and have a model.
    fn with(&self, model: &ModelPin) -> usize {
        let is_there = |(heard, its): &&(Instant, ModelPin)| heard.elapsed() < WORKER_GONE && its == model;
        self.heard.values().filter(is_there).count()
    }
}

/// One bar a campaign.
struct Bars {
    all: MultiProgress,
    bars: HashMap<CampaignId, (ProgressBar, Vec<(Instant, u64)>)>,
    looks: u32,
}

impl Bars {
    fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let target = if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { all: MultiProgress::with_draw_target(target), bars: HashMap::new(), looks: 0 }
    }

    fn show(&mut self, campaigns: &[CampaignStatus], workers: &Workers) {
        let says = self.all.is_hidden() && self.looks.is_multiple_of(LINE_EVERY);
        self.looks += 1;
        for campaign in campaigns {
            let (bar, seen) = self.bars.entry(campaign.accepted.id.clone()).or_insert_with(|| {
                (self.all.add(ProgressBar::new(campaign.messages()).with_style(style())), Vec::new())
            });
            seen.push((Instant::now(), campaign.done()));
            if seen.len() > RATE_LOOKS {
                seen.remove(0);
            }
            let text = message(campaign, rate(seen), workers.with(&campaign.accepted.model));
            bar.set_prefix(campaign.accepted.file.campaign.clone());
            bar.set_position(campaign.done());
            bar.set_message(text.clone());
            if says {
                let (name, done, all) =
                    (&campaign.accepted.file.campaign, campaign.done(), campaign.messages());
                output::note(format_args!(
                    "{name}: {} of {} {text}",
                    output::count(done),
                    output::count(all)
                ));
            }
        }
    }

    fn finish(&self) {
        let _ = self.all.clear();
    }
}

fn rate(seen: &[(Instant, u64)]) -> f64 {
    let (Some((from, before)), Some((until, now))) = (seen.first(), seen.last()) else { return 0.0 };
    let seconds = (*until - *from).as_secs_f64();
    if seconds > 0.0 { now.saturating_sub(*before) as f64 / seconds } else { 0.0 }
}

fn message(campaign: &CampaignStatus, rate: f64, workers: usize) -> String {
    let workers = output::counted(workers as u64, "worker");
    let left = campaign.messages().saturating_sub(campaign.done()) as f64;
    let left =
        if rate > 0.0 { format!(" · {} left", output::time_left(left / rate)) } else { String::new() };
    format!("{} · {}/s · {workers}{left}", campaign.word(), output::rate(rate))
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix:20} {wide_bar:.green/dim} {pos}/{len} {msg}");
    style.expect("the template is one of indicatif's").progress_chars("━━─")
}

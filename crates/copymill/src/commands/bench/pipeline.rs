//! Everything around the model: reading, planning, merging, rendering, writing, with answers from a script.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, bail};
use clap::Args;
use copymill_campaign::{CampaignKeys, CampaignState, Manifest};
use copymill_engine::{ByteTokenizer, ScriptedAnswer, ScriptedEngine};
use copymill_scheduler::{Acceptance, Ended, Lease, Prepared, accept, prepare};
use copymill_service::Shutdown;
use copymill_store::{FolderStore, Store};
use copymill_tokenizer::PromptEncoder;
use copymill_worker::{Generator, Progress};
use tokio::sync::watch;

use super::machine::{cpu_seconds, peak_resident_bytes};
use crate::{
    campaign_run::{Extent, Reporter, Work, execute},
    commands::cluster::places,
    exit::Exit,
    output::{self, STRONG, item},
    settings::Settings,
};

/// Measure reading, merging, rendering and writing
///
/// Makes a list of recipients and runs an e-mail campaign with segments over it, in a temporary folder, with answers
/// from a script in place of a model. The same code as `run`, HTML and text part included.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill bench pipeline --recipients 1000000")]
pub(super) struct PipelineBench {
    /// Recipients
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    recipients: u64,
}

const SLOTS: u32 = 16;
const CATEGORIES: [&str; 5] = ["tents", "boots", "backpacks", "jackets", "stoves"];
const TIERS: [&str; 4] = ["gold", "silver", "bronze", "none"];
const NAMES: [&str; 8] = ["Ada", "Zoë", "Łukasz", "O'Brien", "Maria & Sons", "李雷", "Jean-Luc", "Sam"];

const CAMPAIGN: &str = r#"campaign: bench-pipeline
kind: email
model: demo
audience:
  source: recipients.csv
  id: id
  fields: [category, tier]
  merge: [first_name]
  segment_by: [category, tier]
brief: { brand: Northwind Outdoor, voice: "warm, plain", goal: "bring lapsed customers back" }
facts: { product: Trailhead 3 rain jacket, price: "$129", code: SPRING20, url: "https://northwind.example/spring" }
checks: { banned: [guaranteed, free money], must_use: [code] }
sampling: { max_tokens: 2000 }
"#;

const ANSWER: &str = r#"{"subject":"[[first_name]], a warm welcome back","preheader":"Dry days start with a good jacket from [[brand]].","headline":"Back on the trail","body":["Hello [[first_name]], we have missed you out there. The [[product]] is here, and it is as light as it is dry.","Use [[code]] when you order and pay [[price]] or less. We are happy to help you choose the right size."],"cta":"See the jacket"}"#;

impl PipelineBench {
    pub(super) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        output::note(format_args!(
            "writing {} to {}",
            output::counted(self.recipients, "recipient"),
            folder.path().display()
        ));
        write_inputs(folder.path(), self.recipients).context("the temporary folder cannot be written")?;
        let scan_started = Instant::now();
        let prepared = prepare(&folder.path().join("campaign.yaml"), &places(settings)?).await?;
        let scan_s = scan_started.elapsed().as_secs_f64();
        let store: Arc<dyn Store> = Arc::new(FolderStore::open(folder.path().join("out"))?);
        let (started, cpu_before) = (Instant::now(), cpu_seconds());
        run(store.clone(), prepared, settings).await?;
        let measured = Measured {
            scan_s,
            run_s: started.elapsed().as_secs_f64(),
            cpu_s: cpu_before.zip(cpu_seconds()).map(|(before, after)| after - before),
            manifest: manifest(store.as_ref()).await?,
        };
        measured.print();
        let generated = measured.manifest.totals.outcomes.generated;
        if generated != self.recipients {
            bail!(
                "{generated} of {} messages passed their checks: the numbers do not count",
                self.recipients
            );
        }
        Ok(Exit::Done)
    }
}

struct Measured {
    scan_s: f64,
    run_s: f64,
    cpu_s: Option<f64>,
    manifest: Manifest,
}

impl Measured {
    fn print(&self) {
        let messages = self.manifest.totals.outcomes.total() as f64;
        let bytes: u64 = self.manifest.objects.iter().map(|object| object.bytes).sum();
        let megabytes = |bytes: u64| format!("{} MB", output::count(bytes / 1_000_000));
        output::line(format_args!(
            "{STRONG}pipeline{STRONG:#}: e-mails with HTML and text, merged from segments"
        ));
        let lines = [
            ("messages", output::count(messages as u64)),
            ("looking through the audience", output::duration(self.scan_s)),
            ("planning, merging, writing", output::duration(self.run_s)),
            ("messages/s", output::rate(messages / self.run_s)),
            ("messages/s per core", self.cpu_s.map_or_else(unknown, |cpu_s| output::rate(messages / cpu_s))),
            ("output, compressed", megabytes(bytes)),
            ("peak memory", peak_resident_bytes().map_or_else(unknown, megabytes)),
        ];
        for (name, text) in lines {
            output::line(item(name, 28, text));
        }
    }
}

fn unknown() -> String {
    "this system does not say".into()
}

pub(super) fn write_inputs(folder: &Path, recipients: u64) -> std::io::Result<()> {
    std::fs::write(folder.join("campaign.yaml"), CAMPAIGN)?;
    let mut file = BufWriter::new(File::create(folder.join("recipients.csv"))?);
    writeln!(file, "id,first_name,category,tier,city")?;
    for number in 0..recipients {
        let pick = |list: &[&'static str], step: u64| list[(number / step) as usize % list.len()];
        let (name, category, tier) = (pick(&NAMES, 1), pick(&CATEGORIES, 1), pick(&TIERS, 5));
        writeln!(file, "c-{number:08},{name},{category},{tier},Köln")?;
    }
    file.flush()
}

async fn run(store: Arc<dyn Store>, prepared: Prepared, settings: &Settings) -> anyhow::Result<()> {
    let encoder = PromptEncoder::new(Arc::new(ByteTokenizer), &prepared.checked.model.gguf)?;
    let engine = ScriptedEngine::new(SLOTS, |_, _| ScriptedAnswer::text(ANSWER));
    let progress = Arc::new(Progress::default());
    let generator =
        Generator { engine: Arc::new(engine), encoder: Arc::new(encoder), progress: progress.clone() };
    let lease = Lease::acquire(store.clone()).await?;
    let offered = prepared.accepted.clone();
    let Acceptance::New(campaign) = accept(store.as_ref(), &CampaignKeys::alone(), offered).await? else {
        bail!("the temporary folder holds a campaign already");
    };
    let extent = Extent {
        messages: prepared.messages(),
        segment_copies: prepared.segments().unwrap_or_default(),
        done_before: 0,
        rejected_before: 0,
    };
    let (states, state) = watch::channel(CampaignState::accepted());
    let reporter = Reporter::new(extent, progress, state, &settings.log);
    let (campaign, source) = (Arc::new(*campaign), prepared.source);
    let work = Work {
        store,
        campaign,
        source,
        lease: lease.into(),
        generator,
        s3: places(settings)?.s3,
        shutdown: Shutdown::install()?,
    };
    match reporter.during(execute(work, states)).await? {
        Ended::Completed => Ok(()),
        Ended::Stopped | Ended::Cancelled | Ended::Failed => bail!("the run stopped before it was done"),
    }
}

async fn manifest(store: &dyn Store) -> anyhow::Result<Manifest> {
    let object = store.get(&CampaignKeys::alone().manifest()).await?.context("the run left no manifest")?;
    Ok(serde_json::from_slice(&object.body)?)
}

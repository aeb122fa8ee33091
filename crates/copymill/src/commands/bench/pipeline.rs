//! Everything around the model: reading, planning, merging, rendering, writing, with answers from a script.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, bail};
use clap::Args;
use copymill_campaign::{CampaignKeys, Manifest};
use copymill_engine::{ByteTokenizer, ScriptedAnswer, ScriptedEngine};
use copymill_scheduler::{Prepared, prepare};
use copymill_service::Shutdown;
use copymill_store::{FolderStore, Store};
use copymill_tokenizer::PromptEncoder;
use copymill_worker::Generator;

use super::{
    inputs,
    machine::{cpu_seconds, peak_resident_bytes},
    run::complete,
};
use crate::{
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

const ANSWER: &str = r#"{"subject":"[[first_name]], a warm welcome back","preheader":"Dry days start with a good jacket from [[brand]].","headline":"Back on the trail","body":["Hello [[first_name]], we have missed you out there. The [[product]] is here, and it is as light as it is dry.","Use [[code]] when you order and pay [[price]] or less. We are happy to help you choose the right size."],"cta":"See the jacket"}"#;

impl PipelineBench {
    pub(super) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        output::note(format_args!(
            "writing {} to {}",
            output::counted(self.recipients, "recipient"),
            folder.path().display()
        ));
        inputs::write(folder.path(), inputs::SEGMENTS, self.recipients)
            .context("the temporary folder cannot be written")?;
        let scan_started = Instant::now();
        let prepared = prepare(&folder.path().join("campaign.yaml"), &places(settings)?).await?;
        let scan_s = scan_started.elapsed().as_secs_f64();
        let store: Arc<dyn Store> = Arc::new(FolderStore::open(folder.path().join("out"))?);
        let (generator, shutdown) = (scripted(&prepared)?, Shutdown::install()?);
        let cpu_before = cpu_seconds();
        let run = complete(store.clone(), prepared, generator, shutdown, &settings.log).await?;
        let measured = Measured {
            scan_s,
            run_s: run.as_secs_f64(),
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

/// The answers come from a script.
fn scripted(prepared: &Prepared) -> anyhow::Result<Generator> {
    let encoder = PromptEncoder::new(Arc::new(ByteTokenizer), &prepared.checked.model.gguf)?;
    let engine = ScriptedEngine::new(SLOTS, |_, _| ScriptedAnswer::text(ANSWER));
    Ok(Generator { engine: Arc::new(engine), encoder: Arc::new(encoder), progress: Arc::default() })
}

async fn manifest(store: &dyn Store) -> anyhow::Result<Manifest> {
    let object = store.get(&CampaignKeys::alone().manifest()).await?.context("the run left no manifest")?;
    Ok(serde_json::from_slice(&object.body)?)
}

//! `copymill run`: a campaign from its file to finished messages.

mod start;
mod work;

use std::path::{Path, PathBuf};

use clap::Args;
use copymill_scheduler::{Prepared, differences, prepare};

use crate::{
    campaign_run::{OutputFolder, Standing},
    commands::cluster::places,
    engine_options::EngineOptions,
    exit::{Exit, usage},
    output,
    settings::Settings,
};
use work::Session;

/// Write the messages of a campaign
///
/// Checks everything first, then generates, checks and renders one message per recipient and variant into the
/// campaign's output folder, with a report. The folder is the truth: Ctrl-C finishes what is in hand, and after that,
/// or after a crash, the same command goes on where it stopped. A finished folder is only reported. Files in the
/// folder that are not Copymill's stay untouched; a folder where their names clash with its own is refused.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill run examples/spring-sale/campaign.yaml")]
pub(crate) struct Run {
    /// The campaign file
    campaign: PathBuf,
    /// Output folder, in place of the campaign's own
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Remove what an earlier run wrote into the output folder, and start again
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    engine: EngineOptions,
}

impl Run {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let prepared = prepare(&self.campaign, &places(settings)?).await?;
        let folder = OutputFolder::open(prepared.checked.output(self.output.as_deref()))?;
        introduce(&prepared);
        if !self.fresh && is_finished(&folder, &prepared).await? {
            output::note("finished already, nothing to do");
            work::conclude(&self, &folder).await?;
            return Ok(Exit::Done);
        }
        let lease = start::acquire(&folder).await?;
        match start::ready(&self, &folder, &prepared).await {
            Ok((model, campaign)) => {
                let session = Session { command: &self, settings, folder, lease, model, campaign };
                session.work(prepared).await
            }
            Err(error) => {
                // The error is what matters; a lease that cannot be given back ends with this process.
                let _ = lease.release().await;
                Err(error)
            }
        }
    }
}

/// Says what was read, before anything is done.
fn introduce(prepared: &Prepared) {
    let accepted = &prepared.accepted;
    let variants = match accepted.file.variants {
        1 => String::new(),
        variants => format!(" × {variants} variants"),
    };
    output::note(format_args!(
        "{}: {}{variants}, kind {}, model {} ({})",
        accepted.file.campaign,
        output::counted(prepared.source.records, "recipient"),
        accepted.file.kind,
        accepted.file.models(),
        prepared.checked.detected,
    ));
    if let Some(segments) = prepared.segments() {
        output::note(format_args!(
            "copy is written once for each of {}",
            output::counted(segments, "segment")
        ));
    } else if prepared.has_too_many_segments() {
        output::warn(format_args!(
            "segment_by gives more than {} copies of segments; copy is generated for each recipient instead",
            output::count(copymill_scheduler::SEGMENT_COPIES as u64)
        ));
    }
    prepared.warnings().iter().for_each(output::warn);
}

/// Whether this very campaign is finished in the folder; an error where the folder cannot be used for it.
async fn is_finished(folder: &OutputFolder, prepared: &Prepared) -> anyhow::Result<bool> {
    match folder.standing().await? {
        Standing::Empty => Ok(false),
        Standing::Clash(path) => Err(usage(format!(
            "{path} is in the way: the output needs this name, and the file belongs to no campaign; move it, choose another \
             folder with --output, or use --fresh to remove it"
        ))),
        Standing::Campaign(found) => {
            let (stored, state) = *found;
            let changes = differences(&stored, &prepared.accepted);
            if changes.is_empty() {
                Ok(folder.is_completed(&state))
            } else {
                Err(changed(&folder.path, &changes))
            }
        }
    }
}

/// The folder holds something else than what would be written now.
fn changed(folder: &Path, changes: &[String]) -> anyhow::Error {
    usage(format!(
        "{} holds another campaign, or this one has changed since:\n  - {}\nuse --output DIR to write into another folder, or \
         --fresh to remove what is there and start again",
        folder.display(),
        changes.join("\n  - "),
    ))
}

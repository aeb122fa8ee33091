//! Working on an accepted campaign, and what is said at the end.

use std::sync::Arc;

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, CampaignKeys, CampaignState, Manifest};
use copymill_scheduler::{Ended, Lease, Prepared};
use copymill_service::Shutdown;
use copymill_worker::{Generator, LoadedModel, Progress};
use tokio::sync::watch;

use super::Run;
use crate::{
    campaign_run::{
        Extent, NextSteps, OutputFolder, Reporter, Work, command_name, execute, print_summary, shell_word,
    },
    commands::cluster::places,
    exit::Exit,
    output, report,
    settings::Settings,
};

/// Everything that a run has in hand once its campaign is accepted.
pub(super) struct Session<'a> {
    pub(super) command: &'a Run,
    pub(super) settings: &'a Settings,
    pub(super) folder: OutputFolder,
    pub(super) lease: Lease,
    pub(super) model: LoadedModel,
    pub(super) campaign: Accepted,
}

impl Session<'_> {
    /// Works until the campaign is completed or the process is asked to stop.
    pub(super) async fn work(self, prepared: Prepared) -> anyhow::Result<Exit> {
        let Self { command, settings, folder, lease, model, campaign } = self;
        let shutdown = Shutdown::install().context("signals cannot be received")?;
        let extent = extent(&prepared, &folder.state().await?);
        let progress = Arc::new(Progress::default());
        let (states, state) = watch::channel(CampaignState::accepted());
        let reporter = Reporter::new(extent, progress.clone(), state.clone(), &settings.log);
        let telling = tokio::spawn(tell_about_shutdown(shutdown.clone(), reporter.printer()));
        let generator = Generator { engine: model.engine, encoder: model.encoder, progress };
        let store = folder.store.clone();
        let work = Work {
            store,
            campaign: Arc::new(campaign),
            source: prepared.source,
            lease: lease.into(),
            generator,
            s3: places(settings)?.s3,
            shutdown,
        };
        let ended = reporter.during(execute(work, states)).await;
        telling.abort();
        match ended? {
            Ended::Completed => {
                let manifest = conclude(command, &folder).await?;
                Ok(if manifest.totals.outcomes.generated == 0 { nothing_generated() } else { Exit::Done })
            }
            // Here errors end the process, and nobody else gives orders; a campaign of a cluster may be that far.
            Ended::Cancelled | Ended::Failed => {
                bail!("the campaign in {} was ended before", folder.path.display())
            }
            Ended::Stopped => {
                say_how_to_continue(command, state.borrow().totals.outcomes.total(), extent.messages);
                Ok(Exit::Interrupted)
            }
        }
    }
}

/// Writes the report where there is none, and prints the summary.
pub(super) async fn conclude(command: &Run, folder: &OutputFolder) -> anyhow::Result<Manifest> {
    let keys = CampaignKeys::alone();
    if !folder.path.join("report.html").is_file()
        && let Err(error) = report::write(folder.store.as_ref(), &keys).await
    {
        // The messages are complete without it.
        output::warn(format_args!("the report could not be written: {error:#}"));
    }
    let key = keys.manifest();
    let object = folder
        .store
        .get(&key)
        .await?
        .with_context(|| format!("{key} is missing; use --fresh to start again"))?;
    let manifest: Manifest =
        serde_json::from_slice(&object.body).with_context(|| format!("{key} is not readable"))?;
    print_summary(&manifest, &NextSteps { campaign: &command.campaign, output: &folder.path });
    Ok(manifest)
}

fn extent(prepared: &Prepared, state: &CampaignState) -> Extent {
    let variants = u64::from(prepared.accepted.file.variants);
    Extent {
        messages: prepared.messages(),
        segment_copies: prepared.segments().unwrap_or_default() * variants,
        done_before: state.totals.outcomes.total(),
        rejected_before: state.totals.outcomes.rejected,
    }
}

async fn tell_about_shutdown(shutdown: Shutdown, print: impl Fn(&str)) {
    shutdown.drain_requested().await;
    print("stopping: what is in hand is finished first, 30 s at most; Ctrl-C again stops at once");
    shutdown.abort_requested().await;
    print("stopping at once: messages of unfinished chunks will be generated again");
}

fn say_how_to_continue(command: &Run, done: u64, messages: u64) {
    output::note(format_args!(
        "stopped with {} of {} done",
        output::count(done),
        output::counted(messages, "message")
    ));
    let output_option = command.output.as_deref().map(|output| format!(" --output {}", shell_word(output)));
    output::note(format_args!(
        "to continue:\n  {} run {}{}",
        command_name(),
        shell_word(&command.campaign),
        output_option.unwrap_or_default()
    ));
}

fn nothing_generated() -> Exit {
    output::warn("not one message was generated: the failed checks above and the report say why");
    Exit::Failed
}

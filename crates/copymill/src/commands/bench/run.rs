//! A campaign in a temporary folder, on its way through the code of `copymill run`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use copymill_campaign::{CampaignKeys, CampaignState};
use copymill_scheduler::{Acceptance, Ended, Lease, Prepared, accept};
use copymill_service::{Shutdown, logging::LogOutput};
use copymill_store::{S3Settings, Store};
use copymill_worker::Generator;
use tokio::sync::watch;

use crate::campaign_run::{Extent, Reporter, Work, execute};

/// Runs a campaign in an empty store, and returns how long it took from taking the store's lease to its completion.
pub(super) async fn complete(
    store: Arc<dyn Store>,
    prepared: Prepared,
    generator: Generator,
    shutdown: Shutdown,
    log: &LogOutput,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
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
    let reporter = Reporter::new(extent, generator.progress.clone(), state, log);
    let work = Work {
        store,
        campaign: Arc::new(*campaign),
        source: prepared.source,
        lease: lease.into(),
        generator,
        s3: S3Settings::default(),
        shutdown,
    };
    match reporter.during(execute(work, states)).await? {
        Ended::Completed => Ok(begun.elapsed()),
        Ended::Stopped | Ended::Cancelled | Ended::Failed => bail!("the run stopped before it was done"),
    }
}

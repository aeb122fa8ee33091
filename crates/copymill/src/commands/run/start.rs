//! What happens between a campaign that is in order and one that is accepted.

use std::time::Duration;

use copymill_campaign::{Accepted, CampaignKeys};
use copymill_scheduler::{Acceptance, Lease, Prepared, accept};
use copymill_worker::LoadedModel;

use super::{Run, changed};
use crate::{campaign_run::OutputFolder, engine_options::load, output};

/// Waiting that takes longer is worth a word.
const QUIET_WAIT: Duration = Duration::from_secs(1);

/// Takes the folder's lease.
pub(super) async fn acquire(folder: &OutputFolder) -> anyhow::Result<Lease> {
    let acquiring = Lease::acquire(folder.store.clone());
    tokio::pin!(acquiring);
    tokio::select! {
        lease = &mut acquiring => return Ok(lease?),
        () = tokio::time::sleep(QUIET_WAIT) => {}
    }
    output::note(format_args!(
        "{} was in use and may still be; looking for {} s whether somebody renews the lease …",
        folder.path.display(),
        copymill_scheduler::TAKEOVER.as_secs()
    ));
    Ok(acquiring.await?)
}

/// Loads the model and accepts the campaign. What an earlier run wrote is removed, if at all, once the model works.
pub(super) async fn ready(
    command: &Run,
    folder: &OutputFolder,
    prepared: &Prepared,
) -> anyhow::Result<(LoadedModel, Accepted)> {
    let model = load(&prepared.checked.model, &command.engine).await?;
    prepared.check_fit(&model.encoder, u64::from(model.engine.info().context_tokens))?;
    if command.fresh {
        folder.clear().await?;
    }
    match accept(folder.store.as_ref(), &CampaignKeys::alone(), prepared.accepted.clone()).await? {
        Acceptance::New(accepted) => Ok((model, *accepted)),
        Acceptance::Known(accepted) => {
            output::note(format_args!("going on with what is in {}", folder.path.display()));
            Ok((model, *accepted))
        }
        Acceptance::Different(changes) => Err(changed(&folder.path, &changes)),
    }
}

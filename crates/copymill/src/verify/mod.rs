//! `copymill verify`: recounts a campaign from its objects alone.
//!
//! One object is in memory at a time beside the manifest, whatever the size of the audience. Everything that the
//! manifest says is taken as a claim: hashes, row ranges, outcomes, reasons and tokens are counted anew.

mod input;
mod line;
mod objects;
#[cfg(test)]
pub(crate) mod sample;
mod sequence;
#[cfg(test)]
mod tests;
mod totals;
mod unfinished;
mod verdict;

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignKeys, CampaignPhase, ChunkKind, Manifest, sha256_hex};
use copymill_store::Store;

pub(crate) use verdict::{Problems, Standing, Verdict};

/// What a pass over a finished campaign carries along.
struct Check<'a> {
    store: &'a dyn Store,
    keys: &'a CampaignKeys,
    campaign: &'a Accepted,
    manifest: &'a Manifest,
}

/// Recounts a campaign; an error means that the store could not be read, never that something is wrong in it.
pub(crate) async fn verify(store: &dyn Store, keys: &CampaignKeys) -> anyhow::Result<Verdict> {
    let mut problems = Problems::default();
    let Some(stored) = store.get(&keys.campaign()).await? else {
        problems.note(format!(
            "there is no campaign in {}: {} is missing",
            store.describe(),
            keys.campaign()
        ));
        return Ok(Verdict::without_recount(Standing::Absent, problems));
    };
    let campaign = match serde_json::from_slice::<Accepted>(&stored.body) {
        Ok(campaign) => campaign,
        Err(error) => {
            problems.note(format!("{} cannot be read: {error}", keys.campaign()));
            return Ok(Verdict::without_recount(Standing::Absent, problems));
        }
    };
    let Some(written) = store.get(&keys.manifest()).await? else {
        return unfinished::look(store, keys, &campaign).await;
    };
    let manifest = match serde_json::from_slice::<Manifest>(&written.body) {
        Ok(manifest) => manifest,
        Err(error) => {
            problems.note(format!("{} cannot be read: {error}", keys.manifest()));
            return Ok(Verdict::without_recount(Standing::Finished(CampaignPhase::Failed), problems));
        }
    };
    check_success(store, keys, (&manifest, &sha256_hex(&written.body)), &mut problems).await?;
    check_pins(keys, &campaign, &manifest, &sha256_hex(&stored.body), &mut problems);
    let check = Check { store, keys, campaign: &campaign, manifest: &manifest };
    recount(&check, problems).await.with_context(|| format!("{} could not be verified", store.describe()))
}

async fn recount(check: &Check<'_>, mut problems: Problems) -> anyhow::Result<Verdict> {
    let segments = objects::recount(check, ChunkKind::Segments, &mut problems).await?;
    let messages = objects::recount(check, ChunkKind::Messages, &mut problems).await?;
    totals::compare(check.manifest, &segments, &messages, &mut problems);
    Ok(Verdict {
        standing: Standing::Finished(check.manifest.state),
        problems,
        rows: messages.rows,
        messages: messages.outcomes.total(),
        outcomes: messages.outcomes,
        objects: segments.objects + messages.objects,
    })
}

/// `_SUCCESS` holds the manifest's SHA-256: a manifest that was changed no longer fits it. A campaign that ended
/// early has none.
async fn check_success(
    store: &dyn Store,
    keys: &CampaignKeys,
    (manifest, manifest_sha256): (&Manifest, &str),
    problems: &mut Problems,
) -> anyhow::Result<()> {
    let key = keys.success();
    match store.get(&key).await? {
        None if manifest.state != CampaignPhase::Completed => {}
        None => problems
            .note(format!("{key} is missing: the last step was not taken; run the same command again")),
        Some(object) if object.body.trim_ascii() != manifest_sha256.as_bytes() => problems.note(format!(
            "{key} does not fit {}: the manifest was changed after it was written",
            keys.manifest()
        )),
        Some(_) => {}
    }
    Ok(())
}

/// What the manifest repeats of the campaign must be what the campaign says.
fn check_pins(
    keys: &CampaignKeys,
    campaign: &Accepted,
    manifest: &Manifest,
    campaign_sha256: &str,
    problems: &mut Problems,
) {
    let (named, accepted) = (keys.manifest(), keys.campaign());
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            problems.note(format!("{named} names another {what} than {accepted}"));
        }
    };
    expect(manifest.campaign_sha256 == campaign_sha256, "campaign_sha256");
    expect(manifest.campaign == campaign.id, "campaign id");
    expect(manifest.name == campaign.file.campaign, "name");
    expect(manifest.model == campaign.model, "model");
    expect(manifest.variants == campaign.file.variants, "number of variants");
}

//! `report.html`: one self-contained page about a finished campaign, for the people who decide whether it goes out.
//!
//! Counts come from the manifest. What is said about the copy comes from one streaming pass that reads at most a
//! fixed number of messages, evenly spread over the audience, and keeps sums and a few samples of them.
//! The page runs no script and loads nothing; whatever recipients or models wrote is escaped or in a sandbox.

mod cards;
mod charts;
mod copy_text;
mod distinct;
mod figures;
mod gallery;
mod page;
mod pass;
mod reasons;
mod sections;
#[cfg(test)]
mod tests;
mod words;

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, CampaignKeys, Manifest};
use copymill_store::{Condition, Store};
use serde::de::DeserializeOwned;

/// The page's key below the campaign's root.
const REPORT: &str = "report.html";

/// What the page is about.
struct Subject {
    campaign: Accepted,
    manifest: Manifest,
}

/// Writes the page of a finished campaign; an older one is replaced.
pub(crate) async fn write(store: &dyn Store, keys: &CampaignKeys) -> anyhow::Result<()> {
    let campaign = read(store, &keys.campaign()).await?;
    let manifest = read(store, &keys.manifest()).await?;
    let subject = Subject { campaign, manifest };
    let findings = pass::read(store, keys, &subject).await?;
    let html = page::render(&subject, findings)?;
    let key = format!("{}{REPORT}", keys.root());
    store.put(&key, html.into(), Condition::Always).await?;
    Ok(())
}

async fn read<T: DeserializeOwned>(store: &dyn Store, key: &str) -> anyhow::Result<T> {
    let Some(object) = store.get(key).await? else {
        bail!("{key} is missing in {}: a report needs a finished campaign", store.describe());
    };
    serde_json::from_slice(&object.body)
        .with_context(|| format!("{key} in {} is not readable", store.describe()))
}

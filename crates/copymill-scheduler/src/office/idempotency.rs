//! Idempotency keys: the same request twice is one campaign.

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignId, sha256_hex};
use copymill_store::{Condition, Put, Store};
use serde::{Deserialize, Serialize};

/// What a key was used for.
#[derive(Serialize, Deserialize)]
struct Used {
    v: u32,
    campaign: CampaignId,
    /// Of everything that was asked for.
    body_sha256: String,
}

/// What became of a key.
pub(super) enum Claim {
    /// It was free.
    First,
    /// The same campaign was submitted with it before, and may not have been accepted to the end.
    Again(CampaignId),
    /// Another campaign was.
    Other(CampaignId),
}

/// Claims a key for a campaign.
pub(super) async fn claim(store: &dyn Store, key: &str, offered: &Accepted) -> anyhow::Result<Claim> {
    let object = format!("idempotency/default/{}", sha256_hex(key.as_bytes()));
    let used = Used { v: 1, campaign: offered.id.clone(), body_sha256: body_sha256(offered)? };
    let body = bytes::Bytes::from(serde_json::to_vec(&used)?);
    if store.put(&object, body, Condition::IfAbsent).await? != Put::Refused {
        return Ok(Claim::First);
    }
    let stored = store.get(&object).await?.with_context(|| format!("{object} came and went"))?;
    let earlier: Used =
        serde_json::from_slice(&stored.body).with_context(|| format!("{object} is not readable"))?;
    Ok(if earlier.body_sha256 == used.body_sha256 {
        Claim::Again(earlier.campaign)
    } else {
        Claim::Other(earlier.campaign)
    })
}

/// Everything that was asked for; not when, nor under which id.
fn body_sha256(offered: &Accepted) -> anyhow::Result<String> {
    let mut asked = serde_json::to_value(offered)?;
    for key in ["id", "accepted_at"] {
        asked[key] = serde_json::Value::Null;
    }
    asked["source"]["location"] = serde_json::Value::Null;
    if let Some(list) = asked.get_mut("suppression") {
        list["location"] = serde_json::Value::Null;
    }
    Ok(sha256_hex(asked.to_string().as_bytes()))
}

//! Submitting campaigns, looking at them and giving orders.

use std::{path::Path as FilePath, sync::Arc};

use anyhow::Context;
use axum::{
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use copymill_campaign::{Action, CampaignId, inspect_campaign};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{Port, Refusal, json, rules};
use crate::{
    intake::{Prepared, prepare_by},
    office::{CampaignStatus, Submission},
};

/// Bytes of a campaign at most, as of a campaign file.
const CAMPAIGN_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an idempotency key at most.
const KEY_CHARS_MAX: usize = 255;
/// Campaigns of one answer, where nothing else is asked for, and at most: each takes two reads of the store.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;
/// What problems call the campaign.
const NAME: &str = "campaign.yaml";

/// What stands behind the question mark of a path, if it can be read.
type Asked<T> = Result<Query<T>, QueryRejection>;

/// Parameters of `POST /v1/campaigns`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replacing {
    /// The campaign whose pilot is sent back.
    replaces: Option<String>,
}

/// Parameters of `GET /v1/campaigns`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// The campaign before the first one.
    after: Option<String>,
    /// How many at most.
    #[serde(default = "page")]
    limit: usize,
}

fn page() -> usize {
    PAGE
}

fn asked<T>(query: Asked<T>) -> Result<T, Refusal> {
    match query {
        Ok(Query(parameters)) => Ok(parameters),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, error.body_text())),
    }
}

/// `POST /v1/campaigns`.
pub(super) async fn submit(
    State(port): State<Arc<Port>>,
    query: Asked<Replacing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let replaces = match &asked(query)?.replaces {
        Some(id) => Some(find(&port, id).await?.accepted.id),
        None => None,
    };
    let submission = Submission { idempotency_key: idempotency_key(&headers)?, replaces };
    let text = text_of(body).await?;
    let _turn = port.checking.acquire().await.context("the process stops")?;
    let folder = tempfile::tempdir_in(&port.places.scratch)
        .with_context(|| format!("no folder can be made in {}", port.places.scratch.display()))?;
    let prepared = prepare(&port, text, folder.path()).await;
    let mut prepared = prepared.map_err(|error| Refusal::of_campaign(&error, folder.path()))?;
    // The scratch folder is gone when somebody reads this.
    prepared.accepted.source.location.clone_from(&prepared.accepted.file.audience.source);
    let submitted = port.office.submit(&prepared, &submission).await;
    // All else was checked before: what is left is a key that another campaign has.
    let submitted = submitted.map_err(|error| Refusal::of(&error, StatusCode::CONFLICT))?;
    let status = port.office.status(&submitted.id).await?;
    let code = if submitted.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(LOCATION, format!("/v1/campaigns/{}", submitted.id))];
    Ok((location, json(code, &status.summary())).into_response())
}

/// `GET /v1/campaigns`.
pub(super) async fn list(State(port): State<Arc<Port>>, query: Asked<Listing>) -> Result<Response, Refusal> {
    let Listing { after, limit } = asked(query)?;
    if !(1..=PAGE_MAX).contains(&limit) {
        let words = format!("`limit` is a number from 1 to {PAGE_MAX}");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, words));
    }
    let is_no_id = |_| Refusal::new(StatusCode::BAD_REQUEST, "`after` is the id of a campaign");
    let after = after.as_deref().map(str::parse::<CampaignId>).transpose().map_err(is_no_id)?;
    let found = port.office.page(after.as_ref(), limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.accepted.id.to_string());
    let campaigns: Vec<Value> = found.iter().map(CampaignStatus::summary).collect();
    Ok(json(StatusCode::OK, &json!({ "campaigns": campaigns, "next": next })))
}

/// `GET /v1/campaigns/{id}`.
pub(super) async fn show(State(port): State<Arc<Port>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(json(StatusCode::OK, &find(&port, &id).await?.summary()))
}

/// `POST /v1/campaigns/{id}/{order}`.
pub(super) async fn order(
    State(port): State<Arc<Port>>,
    Path((id, order)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let action = match order.as_str() {
        "pause" => Action::Pause,
        "resume" => Action::Resume,
        "cancel" => Action::Cancel,
        "approve" => Action::Approve,
        "retry-rejected" => Action::RetryRejected,
        _ => {
            let words = "there is no such order; there are pause, resume, cancel, approve and retry-rejected";
            return Err(Refusal::new(StatusCode::NOT_FOUND, words));
        }
    };
    let status = find(&port, &id).await?;
    let id = &status.accepted.id;
    let ordered = match action {
        Action::RetryRejected => port.office.retry_rejected(id).await.map(drop),
        action => port.office.order(id, action).await,
    };
    ordered.map_err(|error| Refusal::of(&error, StatusCode::CONFLICT))?;
    // The leader takes the order from here; the state says when it did.
    Ok(json(StatusCode::ACCEPTED, &status.summary()))
}

/// The campaign with an id.
pub(super) async fn find(port: &Port, id: &str) -> Result<CampaignStatus, Refusal> {
    let missing = || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            format!("there is no campaign `{id}`; GET /v1/campaigns lists them"),
        )
    };
    let id: CampaignId = id.parse().map_err(|_| missing())?;
    port.office.find(&id).await?.ok_or_else(missing)
}

/// Checks a campaign with everything that it names, in a folder of its own that holds nothing else.
async fn prepare(port: &Arc<Port>, text: String, folder: &FilePath) -> anyhow::Result<Prepared> {
    let named = inspect_campaign(&text, NAME).parsed.map(|parsed| parsed.file.audience.source);
    let has_audience = match named.as_deref().and_then(rules::audience_key) {
        Some(key) => fetch(port, key, folder).await?,
        None => false,
    };
    let path = folder.join(NAME);
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    let (port, runtime, span) = (port.clone(), Handle::current(), tracing::Span::current());
    // Reading an audience blocks.
    let preparing = tokio::task::spawn_blocking(move || {
        let _in_trace = span.entered();
        let rules = |parsed: &_| rules::check(parsed, &port.models, has_audience);
        runtime.block_on(prepare_by(&path, &port.places, &rules))
    });
    preparing.await.context("checking a campaign panicked")?
}

/// Puts an uploaded audience where the campaign looks for it.
async fn fetch(port: &Port, key: &str, folder: &FilePath) -> anyhow::Result<bool> {
    let path = folder.join(key);
    let above = path.parent().context("a key has a folder")?;
    std::fs::create_dir_all(above).with_context(|| format!("{} cannot be made", above.display()))?;
    Ok(port.office.store.download(key, &path).await?.is_some())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_CHARS_MAX);
    let words = format!("the header Idempotency-Key has 1 to {KEY_CHARS_MAX} visible characters");
    Ok(Some(key.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, words))?.to_owned()))
}

/// A campaign as YAML. JSON is YAML almost: its escapes are not, so it is written anew.
async fn text_of(body: Body) -> Result<String, Refusal> {
    let bytes = axum::body::to_bytes(body, CAMPAIGN_BYTES_MAX).await.map_err(|_| {
        let words = format!(
            "the body is too large or ended early: a campaign has {CAMPAIGN_BYTES_MAX} bytes at most"
        );
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, words)
    })?;
    if let Ok(value @ Value::Object(_)) = serde_json::from_slice(&bytes) {
        return Ok(serde_json::to_string_pretty(&value).expect("JSON serialises"));
    }
    String::from_utf8(bytes.into())
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the campaign is not UTF-8"))
}

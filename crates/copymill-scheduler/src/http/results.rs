//! What a campaign wrote, streamed as JSON lines in the order of its audience.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::stream;

use super::{Port, Refusal, campaigns};
use crate::office::{Office, OutputObject, output_lines};

/// `GET /v1/campaigns/{id}/results`. An object that is damaged breaks the connection: half an answer must not look whole.
pub(super) async fn stream(
    State(port): State<Arc<Port>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = campaigns::find(&port, &id).await?.accepted.id;
    let Some(objects) = port.office.outputs(&id).await? else {
        let words = format!("campaign {id} has not ended; its results are there once its state is completed");
        return Err(Refusal::new(StatusCode::CONFLICT, words));
    };
    let pieces = stream::try_unfold((port, id, objects.into_iter()), async |(port, id, mut objects)| {
        let Some(object) = objects.next() else { return Ok(None) };
        let lines = lines(&port.office, &object).await.inspect_err(|error| {
            tracing::warn!(campaign.id = %id, error = format!("{error:#}"), "results could not be sent");
        })?;
        anyhow::Ok(Some((lines, (port, id, objects))))
    });
    Ok(([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(pieces)).into_response())
}

async fn lines(office: &Office, object: &OutputObject) -> anyhow::Result<Bytes> {
    let body = office.output(object).await?;
    tokio::task::spawn_blocking(move || output_lines(&body).map(Bytes::from)).await?
}

//! Uploading an audience: streamed to a scratch file, then into the store under its checksum.

use std::{io::Write, sync::Arc};

use anyhow::Context;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    response::Response,
};
use copymill_store::Condition;
use futures::StreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::{Port, Refusal, json, rules};

/// Bytes of an audience at most: 10 million recipients of 1.6 kB. It is in the scratch folder once.
const AUDIENCE_BYTES_MAX: u64 = 16 << 30;
/// Pieces between the network and the disk, some 10 kB each.
const PIECES: usize = 16;

/// `POST /v1/audiences`.
pub(super) async fn upload(
    State(port): State<Arc<Port>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > AUDIENCE_BYTES_MAX) {
        return Err(too_large());
    }
    let file = NamedTempFile::new_in(&port.places.scratch)
        .with_context(|| format!("no file can be made in {}", port.places.scratch.display()))?;
    let (pieces, taken) = mpsc::channel(PIECES);
    let writing = tokio::task::spawn_blocking(move || write(taken, file));
    let bytes = receive(body, pieces).await?;
    let (file, sha256) = writing.await.context("writing an audience panicked")??;
    if bytes == 0 {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "the body is empty; it has to be the rows: CSV, JSONL or Parquet",
        ));
    }
    let key = rules::key_of(&sha256);
    port.office.store.upload(&key, file.path(), Condition::IfAbsent).await.map_err(anyhow::Error::from)?;
    Ok(json(StatusCode::CREATED, &json!({ "source": key, "sha256": sha256, "bytes": bytes })))
}

/// Hands the body on piece by piece; how many bytes it has.
async fn receive(body: Body, pieces: mpsc::Sender<Bytes>) -> Result<u64, Refusal> {
    let (mut stream, mut bytes) = (body.into_data_stream(), 0);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| {
            Refusal::new(StatusCode::BAD_REQUEST, format!("the body ended before its end: {error}"))
        })?;
        bytes += piece.len() as u64;
        if bytes > AUDIENCE_BYTES_MAX {
            return Err(too_large());
        }
        if pieces.send(piece).await.is_err() {
            // The writer has an error, which it tells.
            break;
        }
    }
    Ok(bytes)
}

fn write(
    mut pieces: mpsc::Receiver<Bytes>,
    mut file: NamedTempFile,
) -> anyhow::Result<(NamedTempFile, String)> {
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece).with_context(|| format!("{} cannot be written", file.path().display()))?;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((file, sha256))
}

fn too_large() -> Refusal {
    let words = format!("the body is too large: an audience has {AUDIENCE_BYTES_MAX} bytes at most");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, words)
}

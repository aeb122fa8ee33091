//! Whether the process lives, and whether it can serve: what the admin port says, for clients of this one.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;

use super::{Port, Refusal, json};

/// `GET /healthz`: the process answers, whatever it waits for.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, &json!({ "alive": true }))
}

/// `GET /readyz`: store and broker answer.
pub(super) async fn ready(State(port): State<Arc<Port>>) -> Result<Response, Refusal> {
    match port.vitals.unready().await {
        None => Ok(json(StatusCode::OK, &json!({ "ready": true }))),
        Some(reason) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
    }
}

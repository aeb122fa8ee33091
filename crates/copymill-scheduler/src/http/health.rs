//! Whether the process lives, and whether it can serve.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use copymill_campaign::CONTROL_QUEUE;
use serde_json::json;
use tokio::time::timeout;

use super::{Port, Refusal, json};

/// Store and broker answer within this, or requests would wait too long for either.
const ANSWERS: Duration = Duration::from_secs(3);

/// `GET /healthz`: the process answers, whatever it waits for.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, &json!({ "alive": true }))
}

/// `GET /readyz`: store and broker answer.
pub(super) async fn ready(State(port): State<Arc<Port>>) -> Result<Response, Refusal> {
    let not_ready =
        |what: &str| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the {what} does not answer"));
    // Any key will do, whether it is there or not.
    let store = timeout(ANSWERS, port.office.store.head("leader.json")).await;
    if !matches!(store, Ok(Ok(_))) {
        return Err(not_ready("store"));
    }
    if let Some(broker) = &port.office.broker
        && !matches!(timeout(ANSWERS, broker.depth(CONTROL_QUEUE)).await, Ok(Ok(_)))
    {
        return Err(not_ready("broker"));
    }
    Ok(json(StatusCode::OK, &json!({ "ready": true })))
}

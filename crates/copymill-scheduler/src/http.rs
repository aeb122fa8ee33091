//! The HTTP port: what the command line does with campaigns, for programs.
//!
//! Every scheduler serves it, leading or not: it acts on the store and the broker as the command line does. A client
//! names no file of the server. There is no authentication: the port belongs behind something that has it.

mod audiences;
mod campaigns;
mod health;
mod refusal;
mod results;
mod rules;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use copymill_service::{Shutdown, admin::Vitals, traces};
use serde::Serialize;
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::{Instrument, field::Empty};

use crate::{intake::Places, metrics::SchedulerMetrics, office::Office};
use refusal::Refusal;

/// Campaigns that are checked at once: each reads its audience once, which takes a core and scratch space.
const CHECKED_AT_ONCE: usize = 2;
/// What paths of the API begin with; probes are in no trace.
const API: &str = "/v1/";
/// How long answers may go on that are under way when the process is asked to stop.
const LEAVING: Duration = Duration::from_secs(10);

/// What requests are served with.
pub struct Port {
    /// Where campaigns are handed in and asked about.
    pub office: Office,
    /// Folders for audiences and models, and how buckets are reached.
    pub places: Places,
    /// The models that a campaign may name.
    pub models: Vec<String>,
    checking: Semaphore,
    metrics: Arc<SchedulerMetrics>,
    vitals: Arc<dyn Vitals>,
}

impl Port {
    /// A port without requests yet.
    pub fn new(
        office: Office,
        places: Places,
        models: Vec<String>,
        (metrics, vitals): (Arc<SchedulerMetrics>, Arc<dyn Vitals>),
    ) -> Self {
        Self { office, places, models, checking: Semaphore::new(CHECKED_AT_ONCE), metrics, vitals }
    }

    /// Serves an address until the process drains.
    pub async fn serve(self, address: &str, shutdown: Shutdown) -> anyhow::Result<()> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("scheduler.http: {address} cannot be listened on; set another address, or `none`")
        })?;
        tracing::info!(address = %listener.local_addr()?, "serving HTTP");
        let draining = shutdown.clone();
        let served = axum::serve(listener, router(Arc::new(self)))
            .with_graceful_shutdown(async move { draining.drain_requested().await });
        let left = async {
            shutdown.drain_requested().await;
            tokio::time::sleep(LEAVING).await;
        };
        tokio::select! {
            served = served.into_future() => served.context("the HTTP port failed"),
            () = left => Ok(()),
        }
    }
}

fn router(port: Arc<Port>) -> Router {
    Router::new()
        .route("/v1/audiences", post(audiences::upload))
        .route("/v1/campaigns", post(campaigns::submit).get(campaigns::list))
        .route("/v1/campaigns/{id}", get(campaigns::show))
        .route("/v1/campaigns/{id}/results", get(results::stream))
        .route("/v1/campaigns/{id}/{order}", post(campaigns::order))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(async || {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "there is nothing at this path; docs/OPERATIONS.md lists what is",
            )
        })
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; docs/OPERATIONS.md lists what it takes",
            )
        })
        // Each body has its own limit where it is read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(port.clone(), count))
        .with_state(port)
}

/// Counts answers by class of status.
async fn count(
    State(port): State<Arc<Port>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let response = match route {
        Some(route) if route.as_str().starts_with(API) => traced(route.as_str(), request, next).await,
        _ => next.run(request).await,
    };
    let class = match response.status().as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    port.metrics.series.http_requests_total.of([class]).inc();
    response
}

/// Answers a request as a part of the trace of whoever asks. Its path is its client's words, and stays out of it.
async fn traced(route: &str, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let span = tracing::info_span!(
        "request",
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty
    );
    traces::follow(&span, request.headers().get("traceparent").and_then(|trace| trace.to_str().ok()));
    let response = next.run(request).instrument(span.clone()).await;
    let (status, seconds) = (response.status().as_u16(), began.elapsed().as_secs_f64());
    span.record("http.response.status_code", status);
    tracing::debug!(parent: &span, %method, route, status, seconds, "a request is answered");
    response
}

/// An answer of one JSON object.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("answers serialise");
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

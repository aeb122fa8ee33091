//! The admin port: whether a process lives, whether it can work, and what it measures.
//!
//! `/startz` fails until the process has started, which takes long where a model is fetched; what comes after is none of
//! its business. `/healthz` fails only for what a restart mends: an orchestrator kills what fails it. `/readyz` says what a process waits
//! for; outages of others belong there. `/metrics` is what Prometheus scrapes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The address that says not to listen.
const NO_PORT: &str = "none";
/// Connections at once: probes and scrapers are few.
const CONNECTIONS: usize = 32;
/// A client that does not send its request within this is let go.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Where a process tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Address of `/startz`, `/healthz`, `/readyz` and `/metrics`, such as `0.0.0.0:9090`; `none` listens nowhere.
    pub address: String,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { address: NO_PORT.into() }
    }
}

/// What a process says about itself.
#[async_trait]
pub trait Vitals: Send + Sync + 'static {
    /// Why only a restart helps; none while that is not so. Waits for nothing outside of the process.
    fn stuck(&self) -> Option<String>;

    /// What has to be over before anything else can be asked, such as loading a model; none where nothing has.
    fn starting(&self) -> Option<String> {
        None
    }

    /// What the process waits for before it can work; none where it can.
    async fn unready(&self) -> Option<String>;

    /// Every series in Prometheus' text format; may block.
    fn metrics(&self) -> String;
}

/// Listens, where the settings name an address, and answers from then on.
pub async fn serve(settings: &AdminSettings, vitals: Arc<dyn Vitals>) -> anyhow::Result<()> {
    let address = settings.address.as_str();
    if address == NO_PORT {
        return Ok(());
    }
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("admin.address: {address} cannot be listened on; set another address, or `none`")
    })?;
    tracing::info!(address = %listener.local_addr()?, "serving /startz, /healthz, /readyz and /metrics");
    tokio::spawn(accept(listener, vitals));
    Ok(())
}

async fn accept(listener: TcpListener, vitals: Arc<dyn Vitals>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: that passes.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let vitals = Arc::clone(&vitals);
        tokio::spawn(async move {
            let _place = place;
            let answering = service_fn(|request| answer(request, Arc::clone(&vitals)));
            let mut connection = hyper::server::conn::http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
            // Whoever closes a connection early asked for nothing more.
            drop(connection.serve_connection(TokioIo::new(stream), answering).await);
        });
    }
}

async fn answer(request: Request<Incoming>, vitals: Arc<dyn Vitals>) -> Result<Response<String>, Infallible> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, body) = match request.uri().path() {
        _ if !is_read => (StatusCode::METHOD_NOT_ALLOWED, "this port is only read\n".to_owned()),
        "/healthz" => verdict(vitals.stuck()),
        "/startz" => verdict(vitals.starting()),
        "/readyz" => verdict(vitals.unready().await),
        "/metrics" => measured(vitals).await,
        _ => (StatusCode::NOT_FOUND, "here are /startz, /healthz, /readyz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let text = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// What is measured; a driver that is asked for memory may take its time.
async fn measured(vitals: Arc<dyn Vitals>) -> (StatusCode, String) {
    match tokio::task::spawn_blocking(move || vitals.metrics()).await {
        Ok(metrics) => (StatusCode::OK, metrics),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "what is measured could not be said\n".to_owned()),
    }
}

fn verdict(problem: Option<String>) -> (StatusCode, String) {
    match problem {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    }
}

//! Traces over OTLP, where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector, and how they go on in another process.

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// The variable that every program with OpenTelemetry reads.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// A collector that takes longer misses some spans; nobody waits for it but the thread that sends them.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);
/// W3C's header.
const HEADER: &str = "traceparent";

/// What sends spans, to be told of the end.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The layer that sends spans of this program to a collector; none where no endpoint is set.
pub(crate) fn layer<S>(service: &'static str) -> Result<Option<impl Layer<S>>, String>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let Some(endpoint) = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty()) else {
        return Ok(None);
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector(ureq::AgentBuilder::new().timeout(EXPORT_WITHIN).build()))
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| format!("{ENDPOINT}: {error}"))?;
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
    let tracer = provider.tracer(service);
    drop(PROVIDER.set(provider));
    let ours = Targets::new().with_target("copymill", LevelFilter::DEBUG);
    Ok(Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours)))
}

/// Sends what is left.
pub(crate) fn end() {
    if let Some(provider) = PROVIDER.get() {
        // A collector that is gone misses the last spans.
        drop(provider.shutdown());
    }
}

/// The current span as a W3C `traceparent`, for a message to another process; none where nothing is traced.
pub fn current() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(HEADER)
}

/// Makes a span go on with the trace that a message came with.
pub fn follow(span: &Span, trace: Option<&str>) {
    let Some(trace) = trace else { return };
    let carrier = HashMap::from([(HEADER.to_owned(), trace.to_owned())]);
    // A span that nobody traces has no parent, nor needs one.
    drop(span.set_parent(TraceContextPropagator::new().extract(&carrier)));
}

/// Posts spans; runs on the exporter's own thread, which may block.
#[derive(Debug)]
struct Collector(ureq::Agent);

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let headers =
            parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let post =
            headers.fold(self.0.post(&parts.uri.to_string()), |post, (name, value)| post.set(name, value));
        let status = post.send_bytes(&body).map_err(|error| error.to_string())?.status();
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

//! Traces: a chunk, an inline job and a request are each followed through every process that has a part in them.

use copymill_broker::Properties;
use copymill_campaign::inline_key;
use copymill_tests::Cluster;
use copymill_tests::servers::{Sink, wait_until};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;

use crate::campaign::{EMAIL, PATIENCE, recipients};
use crate::inline::{Producer, job, two_rows};

/// The trace and the span of whoever asks, and how W3C writes them.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A span as a collector gets it.
#[derive(Debug, Clone)]
struct Span {
    service: String,
    name: String,
    trace: String,
    id: String,
    parent: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |attribute: KeyValue| match attribute.value?.value? {
        Value::StringValue(text) => Some((attribute.key, text)),
        Value::IntValue(number) => Some((attribute.key, number.to_string())),
        _ => None,
    };
    attributes.into_iter().filter_map(text).collect()
}

/// All spans that a collector got.
fn spans(collector: &Sink) -> Vec<Span> {
    let mut found = Vec::new();
    for body in collector.bodies() {
        let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("it speaks OTLP");
        for of_process in request.resource_spans {
            let resource = texts(of_process.resource.unwrap().attributes);
            let (_, service) = resource.into_iter().find(|(key, _)| key == "service.name").unwrap();
            for span in of_process.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
                found.push(Span {
                    service: service.clone(),
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    attributes: texts(span.attributes),
                });
            }
        }
    }
    found
}

/// Waits for a span of a program.
fn wait_for(collector: &Sink, service: &str, name: &str, is_it: impl Fn(&Span) -> bool) -> Span {
    let mut found = None;
    wait_until(&format!("a span {name} of {service}"), PATIENCE, || {
        let spans = spans(collector);
        found = spans.into_iter().find(|span| span.service == service && span.name == name && is_it(span));
        found.is_some()
    });
    found.unwrap()
}

/// Where programs of a test send their spans, soon.
fn tracing(url: &str) -> [(&'static str, &str); 2] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("OTEL_BSP_SCHEDULE_DELAY", "100")]
}

#[test]
fn a_chunk_is_one_trace_through_scheduler_broker_worker_and_store_and_back() {
    let (cluster, collector) = (Cluster::new(EMAIL, recipients(20)), Sink::start());
    let url = collector.url();
    let _programs = (
        cluster.start("copymill-scheduler", "leading", &tracing(&url)),
        cluster.start("scripted-worker", "waiting for chunks", &tracing(&url)),
    );
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    let is_of = |span: &Span| span.attribute("campaign.id") == id && span.attribute("chunk.id") == "00000";
    let published = wait_for(&collector, "copymill-scheduler", "publish", is_of);
    let chunk = wait_for(&collector, "scripted-worker", "chunk", is_of);
    assert_eq!((&chunk.trace, &chunk.parent), (&published.trace, &published.id));
    let stored = wait_for(&collector, "scripted-worker", "store", |span| {
        span.attribute("store.operation") == "put" && span.attribute("store.key").contains("/output/00000")
    });
    assert_eq!((&stored.trace, &stored.parent), (&chunk.trace, &chunk.id));
    let reported = wait_for(&collector, "copymill-scheduler", "report", is_of);
    assert_eq!((&reported.trace, &reported.parent), (&chunk.trace, &chunk.id));
}

#[test]
fn an_inline_job_goes_on_with_the_trace_of_its_producer() {
    let (cluster, collector) = (Cluster::new("", ""), Sink::start());
    let _worker = cluster.start("scripted-worker", "waiting for chunks", &tracing(&collector.url()));
    let properties = Properties {
        message_id: Some("order-1".into()),
        trace: Some(TRACEPARENT.into()),
        ..Properties::default()
    };
    Producer::new(&cluster).publish(properties, job(two_rows()).to_string());
    let key = inline_key("order-1");
    let worked =
        wait_for(&collector, "scripted-worker", "inline_job", |span| span.attribute("store.key") == key);
    assert_eq!((worked.trace.as_str(), worked.parent.as_str()), (TRACE, CALLER));
    let stored = wait_for(&collector, "scripted-worker", "store", |span| {
        span.attribute("store.operation") == "put" && span.attribute("store.key") == key
    });
    assert_eq!((&stored.trace, &stored.parent), (&worked.trace, &worked.id));
}

#[test]
fn a_request_over_http_goes_on_with_the_trace_of_its_client_as_far_as_the_leader() {
    let (cluster, collector) = (Cluster::new(EMAIL, recipients(20)), Sink::start());
    let (url, http) = (collector.url(), ("COPYMILL_SCHEDULER__HTTP", "127.0.0.1:0"));
    let [endpoint, soon] = tracing(&url);
    let program = cluster.start("copymill-scheduler", "serving HTTP", &[endpoint, soon, http]);
    program.wait_for("leading", PATIENCE);
    let id = cluster.submit();
    let pause = ureq::post(&format!("{}/v1/campaigns/{id}/pause", program.http_url()));
    assert_eq!(pause.set("traceparent", TRACEPARENT).call().unwrap().status(), 202);
    let request = wait_for(&collector, "copymill-scheduler", "request", |span| span.trace == TRACE);
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.attribute("http.route"), "/v1/campaigns/{id}/{order}");
    assert_eq!(request.attribute("http.response.status_code"), "202");
    let order = wait_for(&collector, "copymill-scheduler", "order", |span| span.trace == TRACE);
    assert_eq!((order.parent.as_str(), order.attribute("campaign.id")), (request.id.as_str(), id.as_str()));
}

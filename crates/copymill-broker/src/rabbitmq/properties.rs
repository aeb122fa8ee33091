//! What messages say about themselves, written and read.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::topology::{table, text};
use crate::seam::{Death, Properties, ReplyAddress};

/// Kept on disk.
const PERSISTENT: u8 = 2;
const JSON: &str = "application/json";
const REASON: &str = "x-copymill-reason";
const QUEUE: &str = "x-copymill-queue";
/// The header of W3C's Trace Context.
const TRACE: &str = "traceparent";
const SENT_MS: &str = "x-copymill-sent-ms";

/// Of a message that we publish.
pub(super) fn write(properties: &Properties) -> BasicProperties {
    let mut written = persistent();
    if let Some(id) = &properties.message_id {
        written = written.with_message_id(id.as_str().into());
    }
    if let Some(to) = &properties.reply_to {
        written = written.with_reply_to(to.queue.as_str().into());
        if let Some(id) = &to.correlation_id {
            written = written.with_correlation_id(id.as_str().into());
        }
    }
    let mut headers = Vec::new();
    if let Some(Death { queue, reason }) = &properties.death {
        headers.extend([(QUEUE, text(queue)), (REASON, text(reason))]);
    }
    headers.extend(properties.trace.as_ref().map(|trace| (TRACE, text(trace))));
    let sent_ms = properties.sent_ms.and_then(|sent_ms| i64::try_from(sent_ms).ok());
    headers.extend(sent_ms.map(|sent_ms| (SENT_MS, AMQPValue::LongLongInt(sent_ms))));
    if headers.is_empty() { written } else { written.with_headers(table(headers)) }
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(PERSISTENT).with_content_type(JSON.into())
}

/// Of an answer.
pub(super) fn answer(to: &ReplyAddress) -> BasicProperties {
    match &to.correlation_id {
        Some(id) => persistent().with_correlation_id(id.as_str().into()),
        None => persistent(),
    }
}

pub(super) fn read(properties: &BasicProperties) -> Properties {
    let own = |text: &Option<lapin::types::ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    let (correlation_id, headers) = (own(properties.correlation_id()), properties.headers().as_ref());
    Properties {
        message_id: own(properties.message_id()),
        reply_to: own(properties.reply_to()).map(|queue| ReplyAddress { queue, correlation_id }),
        death: headers.and_then(death),
        trace: headers.and_then(|headers| header(headers, TRACE)),
        sent_ms: headers.and_then(|headers| match headers.inner().get(SENT_MS)? {
            AMQPValue::LongLongInt(sent_ms) => u64::try_from(*sent_ms).ok(),
            _ => None,
        }),
    }
}

/// From our own headers, or from those of the broker (`x-death`, an array of tables, the latest first).
fn death(headers: &FieldTable) -> Option<Death> {
    if let (Some(queue), Some(reason)) = (header(headers, QUEUE), header(headers, REASON)) {
        return Some(Death { queue, reason });
    }
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else { return None };
    let reason = match header(latest, "reason")?.as_str() {
        "delivery_limit" => {
            "it came back too often: every worker that took it died or gave it back".to_owned()
        }
        other => other.to_owned(),
    };
    Some(Death { queue: header(latest, "queue")?, reason })
}

fn header(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

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
    match &properties.death {
        Some(Death { queue, reason }) => {
            written.with_headers(table([(QUEUE, text(queue)), (REASON, text(reason))]))
        }
        None => written,
    }
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
    let correlation_id = own(properties.correlation_id());
    Properties {
        message_id: own(properties.message_id()),
        reply_to: own(properties.reply_to()).map(|queue| ReplyAddress { queue, correlation_id }),
        death: properties.headers().as_ref().and_then(death),
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

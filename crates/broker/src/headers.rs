//! Headers beside a body, and the properties of every message of ours.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

/// Why a message was put aside.
pub(crate) const REASON: &str = "raven-reason";
/// The queue from which a message was put aside.
pub(crate) const QUEUE: &str = "raven-queue";
/// When a message was put aside.
pub(crate) const BURIED_AT: &str = "raven-buried-at";

/// Delivery mode of a persistent message (AMQP 0-9-1, section 1.8, `delivery-mode`).
const PERSISTENT: u8 = 2;

/// Properties of a message that survives a restart of the broker, with these headers.
pub(crate) fn persistent(headers: FieldTable) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_app_id("raven".into())
        .with_headers(headers)
}

/// A header that is a text.
pub(crate) fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A header of any kind, for people.
pub(crate) fn readable(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(number) => number.to_string(),
        AMQPValue::ShortShortUInt(number) => number.to_string(),
        AMQPValue::ShortInt(number) => number.to_string(),
        AMQPValue::ShortUInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Timestamp(seconds) => seconds.to_string(),
        AMQPValue::FieldArray(values) => {
            let values: Vec<String> = values.as_slice().iter().map(readable).collect();
            format!("[{}]", values.join(", "))
        }
        AMQPValue::FieldTable(table) => {
            let entry = |(name, value)| format!("{name}: {}", readable(value));
            format!("{{{}}}", table.inner().iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

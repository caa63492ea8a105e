//! What is published without Raven: the same as ingest publishes, with the same words beside it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

/// Delivery mode of a persistent message (AMQP 0-9-1, section 1.8, `delivery-mode`).
const PERSISTENT: u8 = 2;

/// A body with its routing key and properties, made beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) key: &'static str,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

impl Parcel {
    /// Bodies of webhooks. What is said beside them is the same for all, so that making it costs nothing.
    pub(crate) fn events(tenant: Uuid, bodies: &[Bytes]) -> Arc<[Self]> {
        let now = Timestamp::now().to_string();
        let headers = [("raven-provider", "mailjet".to_owned()), ("raven-received-at", now)];
        let properties = properties((Uuid::now_v7(), tenant), "application/json", headers.into());
        let parcel = |body: &Bytes| Self { key: "event", properties: properties.clone(), body: body.clone() };
        bodies.iter().map(parcel).collect()
    }

    /// A message to send.
    pub(crate) fn send(id: Uuid, tenant: Uuid, body: Bytes) -> Self {
        let properties = properties((id, tenant), "application/vnd.raven.message.v1", Vec::new());
        Self { key: "send", properties, body }
    }
}

fn properties(
    (id, tenant): (Uuid, Uuid),
    content_type: &str,
    more: Vec<(&'static str, String)>,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    let all = std::iter::once(("raven-tenant", tenant.to_string())).chain(more);
    for (name, value) in all {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(id.to_string().into())
        .with_content_type(content_type.into())
        .with_app_id("raven".into())
        .with_headers(headers)
}

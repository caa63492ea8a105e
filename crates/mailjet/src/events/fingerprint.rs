//! Mailjet gives events no id, so one is made of what tells them apart. However often, and in whatever order, spacing
//! and types of its fields an event is told, its fingerprint is the same; what is hashed here must therefore not
//! change from one version of Raven to the next.

use domain::Fingerprint;
use domain::address::key_of;
use uuid::Uuid;

use super::PROVIDER;
use super::fields::{Fields, Text};
use super::normalise::whole;

/// Of an event: what happened, to which copy of which message, when, and what else two events of one second may differ
/// in.
pub(super) fn known(fields: &Fields<'_>, guid: Option<Uuid>, number: Option<&str>) -> Fingerprint {
    let mut canonical = Uuid::encode_buffer();
    let canonical = guid.map(|guid| &*guid.as_hyphenated().encode_lower(&mut canonical));
    // Without an id that can be read, whatever stands there instead of one.
    let text = if fields.message_guid.is_some() { &fields.message_guid } else { &fields.message_id };
    let message = canonical.or(number).map_or_else(|| bytes(text), str::as_bytes);
    // Two bounces of one second, with the same words or with none, are two when one is for good.
    let hard = matches!(fields.event.as_deref(), Some("bounce")) && fields.hard_bounce;
    let recipient = fields.email.as_deref().map(key_of).unwrap_or_default();
    let time = fields.time.as_deref().and_then(whole).map(i64::to_be_bytes);
    Fingerprint::of([
        PROVIDER.as_bytes(),
        bytes(&fields.event),
        message,
        bytes(&fields.custom_id),
        recipient.as_bytes(),
        time.as_ref().map_or_else(|| bytes(&fields.time), |seconds| &seconds[..]),
        bytes(&fields.url),
        bytes(&fields.error),
        bytes(&fields.comment),
        bytes(&fields.ip),
        bytes(&fields.agent),
        &[u8::from(hard)],
    ])
}

/// Of an item that is not understood: nobody knows which of its parts tell it from others, so all of it.
pub(super) fn unknown(item: &str) -> Fingerprint {
    Fingerprint::of([PROVIDER.as_bytes(), b"unknown", item.as_bytes()])
}

fn bytes<'a>(text: &'a Text<'_>) -> &'a [u8] {
    text.as_deref().unwrap_or_default().as_bytes()
}

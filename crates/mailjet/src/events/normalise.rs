//! One item of a webhook, in Raven's words.

use std::borrow::Cow;
use std::time::Duration;

use domain::retry::later;
use domain::{DeliveryEvent, Effect, EventKind};
use jiff::Timestamp;
use uuid::Uuid;

use super::fields::{Fields, Text};
use super::fingerprint;

/// Times before this (the first of January 2000) are mistakes.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// Times later than this after their arrival are mistakes.
const FUTURE: Duration = Duration::from_hours(24 * 7);
/// From here on a number is a time in milliseconds: in seconds it would lie beyond the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;
/// Bytes of an address (RFC 3696, erratum 1690: 254, and room for what is not quite one); longer ones are none.
const LONGEST_ADDRESS: usize = 320;

/// Reads one item. Never fails: what is not understood is of type `unknown`.
pub fn normalise(item: &str, received_at: Timestamp) -> DeliveryEvent {
    let Some(fields) = Fields::of(item) else { return unknown(item) };
    let (kind, effect) = classify(&fields);
    let number = number(&fields);
    let made_up = number == Some(0);
    let number = number.map(|number| number.to_string());
    let guid = uuid(&fields.message_guid);
    let fingerprint = match kind {
        EventKind::Unknown => fingerprint::unknown(item),
        _ => fingerprint::known(&fields, guid, number.as_deref()),
    };
    let recipient = fields.email.filter(|text| is_address(text)).map(Cow::into_owned).unwrap_or_default();
    // Mailjet's dashboard tests its hooks with made-up events. They must not touch anything, so nothing is left in
    // them by which they could be linked.
    let made_up = made_up || recipient.is_empty();
    let custom_id = uuid(&fields.custom_id);
    DeliveryEvent {
        kind,
        effect: if made_up { Effect::none() } else { effect },
        fingerprint,
        recipient,
        occurred_at: occurred_at(&fields.time, received_at),
        message_id: custom_id.filter(|_| !made_up),
        provider_message_id: number.filter(|_| !made_up),
        provider_message_uuid: guid.filter(|_| !made_up),
        reason: owned(fields.comment.or(fields.error).or(fields.error_related_to).or(fields.smtp_reply)),
        url: owned(fields.url),
        ip: owned(fields.ip),
        geo: owned(fields.geo),
        user_agent: owned(fields.agent),
        raw: item.to_owned(),
    }
}

/// The type of an event and what it does. Whether a bounce is for good is told by `hard_bounce` alone: the words
/// beside it have been seen shifted into each other's fields.
fn classify(fields: &Fields<'_>) -> (EventKind, Effect) {
    let error_is = |words| fields.error.as_ref().is_some_and(|error| error.eq_ignore_ascii_case(words));
    let kind = match fields.event.as_deref().unwrap_or_default() {
        "sent" => EventKind::Delivered,
        "open" => EventKind::Open,
        "click" => EventKind::Click,
        "spam" => EventKind::SpamComplaint,
        "unsub" => EventKind::Unsubscribe,
        "blocked" => EventKind::Blocked,
        "bounce" if fields.hard_bounce => EventKind::HardBounce,
        "bounce" if error_is("greylisted") => EventKind::Deferred,
        "bounce" => EventKind::SoftBounce,
        _ => EventKind::Unknown,
    };
    // Dropped as a repeat within a campaign: an earlier copy went out, so this says nothing of the recipient.
    if kind == EventKind::Blocked && error_is("duplicate in campaign") {
        return (kind, Effect::only_proof());
    }
    (kind, Effect::of(kind))
}

/// `MessageID`, or `mj_message_id` where that is missing or no number.
fn number(fields: &Fields<'_>) -> Option<u64> {
    let ids = [&fields.message_id, &fields.mj_message_id];
    ids.into_iter().flatten().find_map(|text| digits(text))
}

/// An id to the last digit, from a number or a text. What is written as a float may have lost digits, and is none,
/// except for a zero, which is no message's in any spelling.
fn digits(text: &str) -> Option<u64> {
    let is_zero = || {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
        mantissa.starts_with('0') && mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.'))
    };
    text.parse().ok().or_else(|| is_zero().then_some(0))
}

/// A UUID, in any spelling; the one of zeros is nobody's.
fn uuid(text: &Text<'_>) -> Option<Uuid> {
    Uuid::try_parse(text.as_deref()?).ok().filter(|id| !id.is_nil())
}

/// Whether mail could have gone there. A damaged address names another one, or none.
fn is_address(text: &str) -> bool {
    let damaged = |letter: char| letter.is_control() || letter == char::REPLACEMENT_CHARACTER;
    let parts = text.rsplit_once('@');
    text.len() <= LONGEST_ADDRESS
        && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !text.contains(damaged)
}

fn occurred_at(time: &Text<'_>, received_at: Timestamp) -> Option<Timestamp> {
    let at = match whole(time.as_deref()?)? {
        number @ MILLISECONDS.. => Timestamp::from_millisecond(number),
        number => Timestamp::from_second(number),
    };
    at.ok().filter(|at| (EARLIEST..=later(received_at, FUTURE)).contains(at))
}

/// A whole number, also one that is written with zeros after a point.
pub(super) fn whole(text: &str) -> Option<i64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    digits.parse().ok()
}

fn owned(text: Text<'_>) -> Option<String> {
    text.map(Cow::into_owned)
}

/// An item that is kept and not understood.
pub fn unknown(item: &str) -> DeliveryEvent {
    DeliveryEvent {
        kind: EventKind::Unknown,
        effect: Effect::none(),
        fingerprint: fingerprint::unknown(item),
        recipient: String::new(),
        occurred_at: None,
        message_id: None,
        provider_message_id: None,
        provider_message_uuid: None,
        reason: None,
        url: None,
        ip: None,
        geo: None,
        user_agent: None,
        raw: item.to_owned(),
    }
}

//! One item of a webhook, in Raven's words.

use std::time::Duration;

use domain::address::key_of;
use domain::retry::later;
use domain::{DeliveryEvent, Effect, EventKind, Fingerprint};
use jiff::Timestamp;
use uuid::Uuid;

use super::fields::Fields;

/// Times before this (the first of January 2000, in Unix seconds) are mistakes.
const EARLIEST: i64 = 946_684_800;
/// Bytes of an address (RFC 3696, erratum 1690: 254, and room for what is not quite one); longer ones are none.
const LONGEST_ADDRESS: usize = 320;
/// Times later than this after their arrival are mistakes.
const FUTURE: Duration = Duration::from_hours(24 * 7);

/// Reads one item. Never fails: what is not understood is of type `unknown`.
pub fn normalise(item: &str, received_at: Timestamp) -> DeliveryEvent {
    let Some(fields) = Fields::of(item) else { return unknown(item) };
    let name = fields.text("event").unwrap_or_default();
    let (kind, effect) = classify(&name, &fields);
    let id = message_id(&fields);
    // Mailjet's dashboard tests its hooks with made-up events; they must not touch anything.
    let recipient = fields.text("email").unwrap_or_default().trim().to_owned();
    let no_address =
        recipient.is_empty() || recipient.len() > LONGEST_ADDRESS || recipient.contains(char::is_control);
    let made_up = no_address || id == Some(0);
    DeliveryEvent {
        kind,
        effect: if made_up { Effect::none() } else { effect },
        fingerprint: fingerprint(kind, item, &fields),
        recipient,
        occurred_at: occurred_at(&fields, received_at),
        message_id: fields
            .text("CustomID")
            .filter(|_| !made_up)
            .and_then(|id| Uuid::try_parse(id.trim()).ok()),
        provider_message_id: id.filter(|&id| id != 0).map(|id| id.to_string()),
        provider_message_uuid: fields.text("Message_GUID").and_then(|guid| Uuid::try_parse(&guid).ok()),
        reason: ["comment", "error", "error_related_to", "smtp_reply"]
            .iter()
            .find_map(|name| fields.text(name)),
        url: fields.text("url"),
        ip: fields.text("ip"),
        geo: fields.text("geo"),
        user_agent: fields.text("agent"),
        raw: item.to_owned(),
    }
}

/// The type of an event and what it does. Whether a bounce is for good is told by `hard_bounce` alone: the words
/// beside it have been seen shifted into each other's fields.
fn classify(name: &str, fields: &Fields<'_>) -> (EventKind, Effect) {
    let error = fields.text("error").unwrap_or_default();
    let kind = match name {
        "sent" => EventKind::Delivered,
        "open" => EventKind::Open,
        "click" => EventKind::Click,
        "spam" => EventKind::SpamComplaint,
        "unsub" => EventKind::Unsubscribe,
        "blocked" => EventKind::Blocked,
        "bounce" if fields.is_true("hard_bounce") => EventKind::HardBounce,
        "bounce" if error.eq_ignore_ascii_case("greylisted") => EventKind::Deferred,
        "bounce" => EventKind::SoftBounce,
        _ => EventKind::Unknown,
    };
    // Dropped as a repeat within a campaign: an earlier copy went out, so this says nothing of the recipient.
    if kind == EventKind::Blocked && error.eq_ignore_ascii_case("duplicate in campaign") {
        return (kind, Effect::only_proof());
    }
    (kind, Effect::of(kind))
}

/// `MessageID`, or `mj_message_id` in payloads from before it.
fn message_id(fields: &Fields<'_>) -> Option<i64> {
    fields.integer("MessageID").or_else(|| fields.integer("mj_message_id"))
}

fn occurred_at(fields: &Fields<'_>, received_at: Timestamp) -> Option<Timestamp> {
    let seconds = fields.integer("time").filter(|&seconds| seconds >= EARLIEST)?;
    Timestamp::from_second(seconds).ok().filter(|&at| at <= later(received_at, FUTURE))
}

/// Mailjet gives events no id, so one is made of what tells them apart: what happened, to which copy of which message,
/// when, and what else two events of one second may differ in.
fn fingerprint(kind: EventKind, item: &str, fields: &Fields<'_>) -> Fingerprint {
    if kind == EventKind::Unknown {
        return Fingerprint::of([b"mailjet".as_slice(), b"unknown", item.as_bytes()]);
    }
    let text = |name| fields.text(name).unwrap_or_default();
    let message = Some(text("Message_GUID"))
        .filter(|guid| !guid.is_empty())
        .or_else(|| message_id(fields).map(|id| id.to_string()))
        .unwrap_or_else(|| text("MessageID"));
    let parts = [
        "mailjet".to_owned(),
        text("event"),
        message,
        key_of(&text("email")),
        text("time"),
        text("url"),
        text("error"),
        text("comment"),
    ];
    Fingerprint::of(parts.iter().map(String::as_bytes))
}

/// An item that is kept and not understood.
pub fn unknown(item: &str) -> DeliveryEvent {
    DeliveryEvent {
        kind: EventKind::Unknown,
        effect: Effect::none(),
        fingerprint: Fingerprint::of([b"mailjet".as_slice(), b"unknown", item.as_bytes()]),
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

#[cfg(test)]
mod tests {
    use domain::{Status, SuppressionReason};
    use proptest::prelude::*;

    use super::*;
    use crate::events::items;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn kind(item: &str) -> (EventKind, Option<Status>, Option<SuppressionReason>) {
        let event = normalise(item, now());
        (event.kind, event.effect.status, event.effect.suppression)
    }

    #[test]
    fn bounces_go_by_hard_bounce_alone() {
        let bounce =
            |rest: &str| kind(&format!(r#"{{"event":"bounce","email":"a@b.co","MessageID":7,{rest}}}"#));
        for hard in
            [r#""hard_bounce":true"#, r#""hard_bounce":"true""#, r#""hard_bounce":1,"error":"greylisted""#]
        {
            let expected = (Some(Status::HardBounced), Some(SuppressionReason::HardBounce));
            assert_eq!(bounce(hard), (EventKind::HardBounce, expected.0, expected.1), "{hard}");
        }
        for soft in [r#""hard_bounce":null,"error":"user unknown""#, r#""hard_bounce":"""#, r#""x":1"#] {
            assert_eq!(bounce(soft), (EventKind::SoftBounce, Some(Status::SoftBounced), None), "{soft}");
        }
        assert_eq!(bounce(r#""error":"greylisted""#), (EventKind::Deferred, None, None));
    }

    #[test]
    fn a_duplicate_in_a_campaign_changes_no_status() {
        let item = r#"{"event":"blocked","email":"a@b.co","MessageID":7,"error":"duplicate in campaign"}"#;
        assert_eq!(kind(item), (EventKind::Blocked, None, None));
    }

    #[test]
    fn made_up_events_do_nothing() {
        for made_up in [
            r#"{"event":"spam","email":"","MessageID":7}"#,
            r#"{"event":"unsub","email":"a@b.co","MessageID":0,"CustomID":"00000000-0000-0000-0000-000000000001"}"#,
            r#"{"event":"bounce","hard_bounce":true}"#,
        ] {
            let event = normalise(made_up, now());
            assert_eq!(event.effect, Effect::none(), "{made_up}");
            assert_eq!(event.message_id, None, "{made_up}");
        }
    }

    #[test]
    fn ids_keep_every_digit_and_floats_are_no_ids() {
        let id = |value: &str| {
            normalise(&format!(r#"{{"event":"sent","email":"a@b.co","MessageID":{value}}}"#), now())
                .provider_message_id
        };
        assert_eq!(id("1152921505370435001").as_deref(), Some("1152921505370435001"));
        assert_eq!(id("\"1152921505370435001\"").as_deref(), Some("1152921505370435001"));
        assert_eq!(id("1.152921505370435e18"), None);
        assert_eq!(id("null,\"mj_message_id\":\"9007199254740993\"").as_deref(), Some("9007199254740993"));
    }

    #[test]
    fn one_bad_item_harms_no_neighbour() {
        let body =
            r#"[7, null, "x", [], {"event":"future"}, {"event":"sent","email":"a@b.co","MessageID":5}]"#;
        let kinds: Vec<_> =
            items(body.as_bytes()).unwrap().into_iter().map(|item| normalise(item, now()).kind).collect();
        assert_eq!(kinds[..5], [EventKind::Unknown; 5]);
        assert_eq!(kinds[5], EventKind::Delivered);
    }

    #[test]
    fn bodies_of_other_kinds_are_no_webhooks() {
        for body in [&b""[..], b"7", b"\"x\"", b"null", b"{", b"[1", b"\xff{}"] {
            assert!(items(body).is_err(), "{body:?}");
        }
        assert!(items(b"[]").unwrap().is_empty());
        assert_eq!(items(b" {} ").unwrap(), ["{}"]);
    }

    #[test]
    fn two_clicks_of_one_second_differ_by_their_link() {
        let click = |url: &str| {
            let item = format!(
                r#"{{"event":"click","time":1700000000,"email":"a@b.co","MessageID":5,"url":"{url}"}}"#
            );
            normalise(&item, now()).fingerprint
        };
        assert_eq!(click("https://a.example"), click("https://a.example"));
        assert_ne!(click("https://a.example"), click("https://b.example"));
    }

    #[test]
    fn impossible_times_are_no_times() {
        let at = |time: &str| normalise(&format!(r#"{{"event":"sent","time":{time}}}"#), now()).occurred_at;
        assert_eq!(at("1433333949").map(Timestamp::as_second), Some(1_433_333_949));
        assert_eq!(at("\"1433333949\"").map(Timestamp::as_second), Some(1_433_333_949));
        assert_eq!([at("0"), at("-5"), at("99999999999"), at("1e9"), at("\"soon\"")], [None; 5]);
    }

    #[test]
    fn text_that_postgres_refuses_is_mended() {
        let event = normalise(r#"{"event":"click","url":"a\u0000b"}"#, now());
        assert_eq!(event.url.as_deref(), Some("a\u{fffd}b"));
    }

    proptest! {
        #[test]
        fn junk_never_panics_and_is_kept(junk in "\\PC{0,80}") {
            let event = normalise(&junk, now());
            prop_assert_eq!(event.raw, junk);
        }
    }
}

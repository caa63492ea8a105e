//! Every event, and what it does.

use domain::{DeliveryEvent, Effect, EventKind, Fingerprint, Status, SuppressionReason};
use serde_json::{Value, json};

use super::{ada, read, read_all};

/// What a reader of the snapshots wants to see.
fn shown(event: &DeliveryEvent) -> Value {
    let Effect { status, proves_sent, suppression } = event.effect;
    let said = json!({
        "fingerprint": hex(event.fingerprint),
        "type": event.kind.as_str(),
        "status": status.map(|status| format!("{status:?}")),
        "suppression": suppression.map(SuppressionReason::as_str),
        "provesSent": proves_sent,
        "recipient": event.recipient,
        "at": event.occurred_at,
        "messageId": event.message_id,
        "providerMessageId": event.provider_message_id,
        "providerMessageUuid": event.provider_message_uuid,
        "reason": event.reason,
        "url": event.url,
        "ip": event.ip,
        "geo": event.geo,
        "userAgent": event.user_agent,
    });
    let told = said.as_object().unwrap().iter().filter(|(_, value)| !value.is_null() && **value != json!(""));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn hex(fingerprint: Fingerprint) -> String {
    format!("{:032x}", u128::from_be_bytes(fingerprint.0))
}

fn shown_all(body: &[u8]) -> Vec<Value> {
    read_all(body).iter().map(shown).collect()
}

/// The fingerprints here must stay as they are: with others, events that are told again after an update would count
/// twice.
#[test]
fn a_group_of_every_event() {
    insta::assert_json_snapshot!(shown_all(include_bytes!("bodies/version2.json")));
}

#[test]
fn events_from_before_message_ids() {
    insta::assert_json_snapshot!(shown_all(include_bytes!("bodies/before_message_id.json")));
}

#[test]
fn fields_of_every_type() {
    insta::assert_json_snapshot!(shown_all(include_bytes!("bodies/odd_types.json")));
}

#[test]
fn an_event_alone_is_read_as_in_a_group() {
    let group = include_str!("bodies/version2.json");
    for event in read_all(group.as_bytes()) {
        assert_eq!(read_all(event.raw.as_bytes()), [event]);
    }
}

#[test]
fn raw_is_to_the_letter() {
    let item = r#"{ "event":"sent" ,"big":123456789012345678901234567890, "small":0.10000000000000000555e-400,"é":"\u00e9\ud800" }"#;
    assert_eq!(read(item).raw, item);
}

#[test]
fn bounces_go_by_hard_bounce_alone() {
    for yes in ["true", r#""true""#, "1", r#""1""#, r#"true,"error":"greylisted""#, r#"true,"blocked":false"#]
    {
        let event = ada("bounce", &format!(r#""hard_bounce":{yes}"#));
        assert_eq!(event.kind, EventKind::HardBounce, "{yes}");
        assert_eq!(event.effect.status, Some(Status::HardBounced), "{yes}");
        assert_eq!(event.effect.suppression, Some(SuppressionReason::HardBounce), "{yes}");
    }
    for no in
        ["false", "null", r#""""#, r#""false""#, "0", "{}", r#"false,"error":"user unknown","blocked":true"#]
    {
        let event = ada("bounce", &format!(r#""hard_bounce":{no}"#));
        let expected = (EventKind::SoftBounce, Some(Status::SoftBounced), None);
        assert_eq!((event.kind, event.effect.status, event.effect.suppression), expected, "{no}");
    }
}

#[test]
fn a_duplicate_in_a_campaign_and_a_greylisting_change_and_suppress_nothing() {
    for error in ["duplicate in campaign", " Duplicate In Campaign "] {
        let event = ada("blocked", &format!(r#""error":"{error}""#));
        assert_eq!((event.kind, event.effect), (EventKind::Blocked, Effect::only_proof()), "{error}");
        assert_eq!(event.reason.as_deref(), Some(error.trim()));
    }
    let event = ada("bounce", r#""hard_bounce":false,"error":"greylisted","error_related_to":"domain""#);
    assert_eq!((event.kind, event.effect), (EventKind::Deferred, Effect::only_proof()));
    // Said of anything but a bounce or a block, the words mean nothing.
    assert_eq!(ada("sent", r#""error":"duplicate in campaign""#).effect, Effect::of(EventKind::Delivered));
    assert_eq!(ada("blocked", r#""error":"greylisted""#).effect, Effect::of(EventKind::Blocked));
}

#[test]
fn the_reason_is_the_most_telling_of_four() {
    let all = [("comment", "c"), ("error", "e"), ("error_related_to", "r"), ("smtp_reply", "s")];
    for first in 0..all.len() {
        let mut more: Vec<_> =
            all[first..].iter().map(|(name, text)| format!(r#""{name}":" {text} ""#)).collect();
        more.extend(all[..first].iter().map(|(name, _)| format!(r#""{name}":" ""#)));
        more.reverse();
        assert_eq!(ada("bounce", &more.join(",")).reason.as_deref(), Some(all[first].1));
    }
    assert_eq!(ada("bounce", r#""comment":false,"error":[]"#).reason, None);
}

#[test]
fn text_that_postgres_refuses_is_mended() {
    let event = ada("click", r#""url":"a\u0000b","ip":"","geo":null,"agent":"\u0000""#);
    assert_eq!(event.url.as_deref(), Some("a\u{fffd}b"));
    assert_eq!((event.ip, event.geo, event.user_agent.as_deref()), (None, None, Some("\u{fffd}")));
}

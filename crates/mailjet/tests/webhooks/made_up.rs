//! The events with which Mailjet's dashboard tries a URL out: nothing can be linked to them, and they do nothing.

use domain::Effect;
use mailjet::events::unknown;

use super::{now, read};

/// Fields by which an event that is not made up would be linked.
const IDS: &str = r#""Message_GUID":"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01","CustomID":"0199c0de-0000-7000-8000-000000000001""#;

/// Asserts that an event with these fields is made up, whatever it tells, and answers its recipient.
fn made_up(fields: &str) -> String {
    let mut recipient = String::new();
    for event in ["sent", "open", "click", "bounce", "blocked", "spam", "unsub", "future"] {
        let item = format!(r#"{{"event":"{event}","time":1767225600,"hard_bounce":true,{IDS},{fields}}}"#);
        let event = read(&item);
        assert_eq!(event.effect, Effect::none(), "{item}");
        assert_eq!(event.message_id, None, "{item}");
        assert_eq!((event.provider_message_id, event.provider_message_uuid), (None, None), "{item}");
        assert_eq!(event.raw, item);
        recipient = event.recipient;
    }
    recipient
}

#[test]
fn message_zero_is_nobodys() {
    for zero in ["0", "\"0\"", "0.0", "\"0.0\"", "-0", "-0.0", "0e0", "0E+5", "\"000\"", "\" 0 \""] {
        let ada = "\"email\":\"ada@example.com\"";
        assert_eq!(made_up(&format!(r#"{ada},"MessageID":{zero}"#)), "ada@example.com");
        assert_eq!(made_up(&format!(r#"{ada},"MessageID":{zero},"mj_message_id":"7""#)), "ada@example.com");
        assert_eq!(made_up(&format!(r#"{ada},"mj_message_id":{zero}"#)), "ada@example.com");
    }
}

#[test]
fn nobody_is_no_recipient() {
    let long = format!("\"{}@example.com\"", "a".repeat(320));
    let none = [
        "null",
        "\"\"",
        "\" \"",
        "7",
        "true",
        "{}",
        "[\"ada@example.com\"]",
        "\"ada\"",
        "\"@example.com\"",
        "\"ada@\"",
        r#""a\u0000da@example.com""#,
        r#""ada\r\n@example.com""#,
        r#""\ud800@example.com""#,
        "\"a\u{fffd}@example.com\"",
        long.as_str(),
    ];
    for email in none {
        assert_eq!(made_up(&format!(r#""MessageID":7,"email":{email}"#)), "", "{email}");
    }
    assert_eq!(made_up(r#""MessageID":7"#), "");
}

#[test]
fn the_body_of_the_button_does_nothing() {
    let item = r#"{"event":"bounce","time":"","MessageID":0,"email":"","mj_campaign_id":"","mj_contact_id":"","customcampaign":"",
        "CustomID":"","Payload":"","blocked":"","hard_bounce":"","error_related_to":"","error":"","mj_list_id":"","url":"",
        "ip":"","geo":"","agent":""}"#;
    let event = read(item);
    let nothing = domain::DeliveryEvent { kind: event.kind, fingerprint: event.fingerprint, ..unknown(item) };
    assert_eq!(event, nothing);
}

#[test]
fn an_item_kept_as_unknown_says_nothing_but_itself() {
    let event = unknown("[1.50]");
    assert_eq!((event.raw.as_str(), event.effect), ("[1.50]", Effect::none()));
    assert_eq!(event, read("[1.50]"), "as what is no object is read: {}", now());
}

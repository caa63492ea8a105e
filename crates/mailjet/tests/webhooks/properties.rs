//! What holds of any body and any item.

use domain::{Effect, EventKind};
use mailjet::events::items;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{read, read_all};

/// Names that matter, and some that do not.
const NAMES: [&str; 20] = [
    "event",
    "time",
    "email",
    "MessageID",
    "mj_message_id",
    "Message_GUID",
    "CustomID",
    "hard_bounce",
    "comment",
    "error",
    "error_related_to",
    "smtp_reply",
    "url",
    "ip",
    "geo",
    "agent",
    "blocked",
    "Payload",
    "",
    "\u{e9}",
];

/// Values that matter somewhere, and any others.
fn scalar() -> impl Strategy<Value = String> {
    let telling = [
        "\"sent\"",
        "\"bounce\"",
        "\"unsub\"",
        "\"ada@example.com\"",
        "\"greylisted\"",
        "true",
        "null",
        "0",
        "-0.0",
        "1e999",
        "1767225600",
        "1152921505370435001",
        "\"00000000-0000-0000-0000-000000000000\"",
        "\"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01\"",
        r#""\ud800""#,
        r#""\u0000""#,
    ];
    prop_oneof![
        3 => select(telling.to_vec()).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| Value::from(text).to_string()),
        1 => any::<i128>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| Value::from(number).to_string()),
    ]
}

/// JSON of any kind, most often an object with names that matter.
fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 40, 12, |inner| {
        let object = hash_map(select(NAMES.to_vec()), inner.clone(), 0..12).prop_map(|members| {
            let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        });
        let array = vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" , ")));
        prop_oneof![4 => object, 1 => array]
    })
}

/// Good events, which may have any neighbour.
const GOOD: &str = include_str!("bodies/version2.json");

/// A body of this item and, after it, the good events.
fn with_neighbours(item: &[u8]) -> Vec<u8> {
    let good = GOOD.trim().strip_prefix('[').unwrap();
    [b"[", item, b",", good.as_bytes()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_item_is_read_and_kept_and_harms_no_neighbour(item in json()) {
        let event = read(&item);
        prop_assert_eq!(&event.raw, &item);
        if event.kind == EventKind::Unknown || event.recipient.is_empty() {
            prop_assert_eq!(event.effect, Effect::none());
        }
        if event.recipient.is_empty() {
            prop_assert_eq!((event.message_id, event.provider_message_id.as_ref()), (None, None));
            prop_assert_eq!(event.provider_message_uuid, None);
        }
        let mut all = read_all(&with_neighbours(item.as_bytes()));
        prop_assert_eq!(all.remove(0), event);
        prop_assert_eq!(all, read_all(GOOD.as_bytes()));
    }

    #[test]
    fn bytes_that_are_no_text_harm_no_neighbour(bytes in vec(0x80u8.., 0..9)) {
        let item = [br#"{"event":"bounce","MessageID":7,"email":"ada@example.com","comment":"a"#, &bytes[..], br#"b"}"#];
        let all = read_all(&with_neighbours(&item.concat()));
        let comment = all[0].reason.as_deref().unwrap();
        prop_assert!(comment.starts_with('a') && comment.ends_with('b'), "{}", comment);
        prop_assert_eq!(all[0].effect, Effect::of(EventKind::SoftBounce));
        prop_assert_eq!(&all[1..], &read_all(GOOD.as_bytes())[..]);
    }

    #[test]
    fn any_text_is_kept_as_an_item(text in any::<String>()) {
        prop_assert_eq!(read(&text).raw, text);
    }

    #[test]
    fn items_stand_in_the_body_to_the_letter(body in vec(json(), 0..4), space in "[ \n\r\t]{0,3}") {
        let text = format!("{space}[{space}{}{space}]{space}", body.join(&format!("{space},{space}")));
        let read = items(text.as_bytes()).unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), body);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..60)) {
        for text in [body.clone(), [b"[\"", &body[..], b"\"]"].concat(), [b"{\"event\":\"", &body[..], b"\"}"].concat()] {
            for item in items(&text).iter().flat_map(mailjet::events::Items::iter) {
                prop_assert_eq!(read(item).raw, item);
            }
        }
    }
}

#[test]
fn depth_does_no_harm() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(read(&deep).kind, EventKind::Unknown);
    let item = format!(r#"{{"comment":{deep},"new":{deep},"event":"sent","email":"ada@example.com"}}"#);
    let event = read(&item);
    assert_eq!((event.kind, event.reason), (EventKind::Delivered, None));
}

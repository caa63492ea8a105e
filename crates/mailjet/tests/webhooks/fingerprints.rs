//! By what a repeat is known, and what tells two events apart.

use domain::Fingerprint;
use proptest::prelude::*;
use proptest::sample::select;

use super::{ada, read};

fn of(event: &str, more: &str) -> Fingerprint {
    ada(event, more).fingerprint
}

#[test]
fn two_events_of_one_second_differ_by_what_they_tell() {
    let base = r#""url":"https://a.example","error":"e","comment":"c","ip":"192.0.2.7","agent":"A","Message_GUID":"""#;
    let others = [
        ("https://a.example", "https://b.example"),
        (r#""e""#, r#""f""#),
        (r#""c""#, r#""""#),
        ("192.0.2.7", "192.0.2.8"),
        (r#""A""#, r#""B""#),
        (r#""Message_GUID":"""#, r#""Message_GUID":"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01""#),
        (r#""Message_GUID":"""#, r#""MessageID":8"#),
        (r#""Message_GUID":"""#, r#""time":1767225601"#),
        (r#""Message_GUID":"""#, r#""time":"soon""#),
        (r#""Message_GUID":"""#, r#""email":"bob@example.com""#),
    ];
    for (from, to) in others {
        let other = base.replacen(from, to, 1);
        assert_ne!(other, base);
        assert_ne!(of("click", base), of("click", &other), "{other}");
    }
    assert_ne!(of("click", base), of("open", base));
    // A text that moves from one field to another makes another event.
    assert_ne!(of("bounce", r#""error":"x""#), of("bounce", r#""comment":"x""#));
}

#[test]
fn fields_that_come_and_go_make_no_other_event() {
    let plain = of("sent", r#""url":"""#);
    for more in
        [r#""Payload":"x""#, r#""smtp_reply":"250""#, r#""geo":"FR""#, r#""new":[1]"#, r#""url":null"#]
    {
        assert_eq!(of("sent", more), plain, "{more}");
    }
}

#[test]
fn without_a_readable_id_what_stands_there_tells_messages_apart() {
    let of = |ids: &str| {
        read(&format!(r#"{{"event":"sent","time":1767225600,"email":"ada@example.com",{ids}}}"#)).fingerprint
    };
    let ids = [
        r#""MessageID":1.5e18"#,
        r#""MessageID":1.6e18"#,
        r#""MessageID":1.5e18,"CustomID":"a""#,
        r#""MessageID":1.5e18,"Message_GUID":"no-uuid-1""#,
        r#""MessageID":1.5e18,"Message_GUID":"no-uuid-2""#,
        r#""CustomID":"b""#,
        r#""x":1"#,
    ];
    for (place, one) in ids.iter().enumerate() {
        for other in &ids[place + 1..] {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }
    // With one, the rest does not matter: the same event may be told with and without it.
    let guid = r#""Message_GUID":"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01""#;
    assert_eq!(of(guid), of(&format!(r#"{guid},"MessageID":7"#)));
    assert_ne!(of(guid), of(&format!(r#"{guid},"CustomID":"a""#)));
    let nil = r#""Message_GUID":"00000000-0000-0000-0000-000000000000","MessageID":7"#;
    assert_eq!(of(nil), of(r#""MessageID":"7""#));
    assert_eq!(of(r#""Message_GUID":"no-uuid","MessageID":7"#), of(r#""MessageID":7"#));
}

#[test]
fn what_is_not_understood_is_known_by_its_letters() {
    assert_eq!(read("[1]").fingerprint, read("[1]").fingerprint);
    assert_ne!(read("[1]").fingerprint, read("[1.0]").fingerprint);
    assert_ne!(read(r#"{"event":"new"}"#).fingerprint, read(r#"{"event":"new" }"#).fingerprint);
}

/// A field in several spellings of one meaning.
type Field = (&'static str, Vec<String>);

fn same(name: &'static str, spellings: &[&str]) -> Field {
    (name, spellings.iter().map(|text| (*text).to_owned()).collect())
}

/// The fields of one event.
fn fields(event: &str, second: i64, id: u64) -> Vec<Field> {
    let number =
        |name, value: String| (name, vec![value.clone(), format!("\"{value}\""), format!("\" {value} \"")]);
    let mut time = number("time", second.to_string());
    time.1.push(format!("{second}.0"));
    vec![
        ("event", vec![format!("\"{event}\"")]),
        time,
        number("MessageID", id.to_string()),
        same(
            "Message_GUID",
            &["\"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01\"", "\"6F1C2AB05D1E4C7E9A530C7B1B6A5E01\""],
        ),
        same(
            "email",
            &[
                "\"ada@example.com\"",
                "\"Ada@EXAMPLE.com\"",
                "\" ada@example.com\"",
                "\"\\u0061da@example.com\"",
            ],
        ),
        same("hard_bounce", &["true", "\"true\"", "1", "\"1\""]),
        same("error", &["550", "\"550\""]),
        same("comment", &["\"a/b\"", "\"a\\/b\"", "\"a\\u002fb\\n\""]),
        same("url", &["\"\"", "null", "\" \""]),
        same("ip", &["\"192.0.2.7\""]),
        same("agent", &["\"caf\u{e9}\"", "\"caf\\u00e9\""]),
    ]
}

/// An event in any spelling, order and spacing.
fn spelt(fields: Vec<Field>) -> impl Strategy<Value = String> {
    let spellings = fields.into_iter().map(|(name, values)| {
        (select(values), select(vec!["", " ", "\n\t"]))
            .prop_map(move |(value, space)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
    });
    let members: Vec<_> = spellings.collect();
    let shuffled = members.prop_flat_map(|members| Just(members).prop_shuffle());
    shuffled.prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #[test]
    fn a_repeat_is_known_in_any_spelling(
        (one, other) in (select(vec!["sent", "open", "click", "bounce", "blocked", "spam", "unsub"]), 1_700_000_000..1_760_000_000i64, 1u64..)
            .prop_flat_map(|(event, second, id)| {
                let fields = fields(event, second, id);
                (spelt(fields.clone()), spelt(fields))
            })
    ) {
        let (mut one, mut other) = (read(&one), read(&other));
        prop_assert_eq!(one.fingerprint, other.fingerprint, "{} {}", one.raw, other.raw);
        for event in [&mut one, &mut other] {
            event.raw.clear();
            event.recipient.make_ascii_lowercase();
        }
        prop_assert_eq!(one, other);
    }
}

/// Soft bounces often come without any words, and a hard one of the same second may as well.
#[test]
fn two_wordless_bounces_of_one_second_are_two_when_one_is_for_good() {
    let of = |hard: &str| {
        let item = format!(
            r#"{{"event":"bounce","time":1767225600,"email":"ada@example.com","MessageID":7,"hard_bounce":{hard}}}"#
        );
        read(&item).fingerprint
    };
    assert_ne!(of("true"), of("false"));
    assert_eq!(of("true"), of("\"1\""));
    assert_eq!(of("false"), of("null"));
}

//! The ids of an event, which link it to its message.

use uuid::Uuid;

use super::read;

/// The number that is read from these fields.
fn number(ids: &str) -> Option<String> {
    let event = read(&format!(r#"{{"event":"sent","email":"ada@example.com",{ids}}}"#));
    assert!(event.effect.proves_sent, "{ids} is not made up");
    event.provider_message_id
}

#[test]
fn numbers_keep_every_digit() {
    let cases = [
        ("1152921505370435001", "1152921505370435001"),
        ("\"1152921505370435001\"", "1152921505370435001"),
        ("\" 1152921505370435001 \"", "1152921505370435001"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("\"007\"", "7"),
    ];
    for (value, expected) in cases {
        assert_eq!(number(&format!(r#""MessageID":{value}"#)).as_deref(), Some(expected), "{value}");
        let old = format!(r#""MessageID":null,"mj_message_id":{value}"#);
        assert_eq!(number(&old).as_deref(), Some(expected), "{old}");
    }
}

#[test]
fn what_is_no_number_is_no_id_and_the_older_field_stands_in() {
    for value in [
        "1.152921505370435e18",
        "1152921505370435001.0",
        "\"1.5e3\"",
        "-7",
        "99999999999999999999999",
        "null",
        "\"\"",
        "\"abc\"",
        "true",
        "{}",
        "[7]",
        "0.5",
        "\"0x0\"",
        "\"-\"",
        "\".\"",
    ] {
        assert_eq!(number(&format!(r#""MessageID":{value}"#)), None, "{value}");
        let both = format!(r#""MessageID":{value},"mj_message_id":"1152921505370435002""#);
        assert_eq!(number(&both).as_deref(), Some("1152921505370435002"), "{value}");
    }
    assert_eq!(number(r#""mj_message_id":"8","MessageID":7"#).as_deref(), Some("7"));
}

#[test]
fn uuids_are_read_in_any_spelling_and_the_one_of_zeros_is_none() {
    let expected = Uuid::try_parse("6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01").unwrap();
    let ids = |value: &str| {
        let ids = format!(r#""Message_GUID":{value},"CustomID":{value},"MessageID":7"#);
        let event = read(&format!(r#"{{"event":"sent","email":"ada@example.com",{ids}}}"#));
        (event.provider_message_uuid, event.message_id)
    };
    for value in [
        "6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e01",
        " 6F1C2AB0-5D1E-4C7E-9A53-0C7B1B6A5E01",
        "6f1c2ab05d1e4c7e9a530c7b1b6a5e01",
    ] {
        assert_eq!(ids(&format!("\"{value}\"")), (Some(expected), Some(expected)), "{value}");
    }
    let none = [
        "\"00000000-0000-0000-0000-000000000000\"",
        "\"\"",
        "null",
        "5",
        "true",
        "{}",
        "[]",
        "\"welcome\"",
        "\"1ab23cd4-e567-8901-2345-6789f0gh1i2k\"",
        "\"6f1c2ab0-5d1e-4c7e-9a53-0c7b1b6a5e0\"",
    ];
    for value in none {
        assert_eq!(ids(value), (None, None), "{value}");
    }
}

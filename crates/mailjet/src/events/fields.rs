//! The fields of one item that matter, each of any type, missing or empty: Mailjet's payloads have been seen with all
//! of these. One pass reads them, each at most once, and what needs no decoding is borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A field as text, if it is there and says something: a string's content, or a number to the letter, trimmed. Bools,
/// objects and arrays are no texts.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// The fields of an object; of a field that comes twice, the last.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) event: Text<'a>,
    pub(super) time: Text<'a>,
    pub(super) email: Text<'a>,
    pub(super) message_id: Text<'a>,
    /// The only id in payloads from before `MessageID`.
    pub(super) mj_message_id: Text<'a>,
    pub(super) message_guid: Text<'a>,
    pub(super) custom_id: Text<'a>,
    /// Said as `true`, `"true"`, `1` or `"1"`.
    pub(super) hard_bounce: bool,
    pub(super) comment: Text<'a>,
    pub(super) error: Text<'a>,
    pub(super) error_related_to: Text<'a>,
    pub(super) smtp_reply: Text<'a>,
    pub(super) url: Text<'a>,
    pub(super) ip: Text<'a>,
    pub(super) geo: Text<'a>,
    pub(super) agent: Text<'a>,
}

impl<'a> Fields<'a> {
    /// The fields of an object; nothing when the item is no object.
    pub(super) fn of(item: &'a str) -> Option<Self> {
        // Saves the words of an error about what is plainly something else.
        item.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(item).ok())?
    }

    fn text_named(&mut self, name: &[u8]) -> Option<&mut Text<'a>> {
        Some(match name {
            b"event" => &mut self.event,
            b"time" => &mut self.time,
            b"email" => &mut self.email,
            b"MessageID" => &mut self.message_id,
            b"mj_message_id" => &mut self.mj_message_id,
            b"Message_GUID" => &mut self.message_guid,
            b"CustomID" => &mut self.custom_id,
            b"comment" => &mut self.comment,
            b"error" => &mut self.error,
            b"error_related_to" => &mut self.error_related_to,
            b"smtp_reply" => &mut self.smtp_reply,
            b"url" => &mut self.url,
            b"ip" => &mut self.ip,
            b"geo" => &mut self.geo,
            b"agent" => &mut self.agent,
            _ => return None,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(item: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(Decoded(name)) = members.next_key()? {
                    if *name == *b"hard_bounce" {
                        fields.hard_bounce = is_true(members.next_value()?);
                    } else if let Some(field) = fields.text_named(&name) {
                        *field = text(members.next_value()?);
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(fields)
            }
        }
        item.deserialize_map(Object)
    }
}

/// A string's content, without its escapes. Bytes, since a lone surrogate, which a JSON string may hold, is no `str`.
struct Decoded<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Decoded<'a> {
    fn deserialize<D: Deserializer<'de>>(string: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Decoded<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Decoded(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Decoded(Cow::Owned(bytes.to_owned())))
            }
        }
        string.deserialize_bytes(Bytes)
    }
}

fn text(value: &RawValue) -> Text<'_> {
    let raw = value.get();
    let text = match raw.as_bytes().first()? {
        b'"' => content(raw)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(raw),
        _ => return None,
    };
    let trimmed = text.trim();
    match text {
        _ if trimmed.is_empty() => None,
        Cow::Borrowed(whole) => Some(Cow::Borrowed(whole.trim())),
        Cow::Owned(ref whole) if whole.len() == trimmed.len() => Some(text),
        Cow::Owned(_) => Some(Cow::Owned(trimmed.to_owned())),
    }
}

/// What stands between the quotes of a string.
fn content(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let Decoded(bytes) = serde_json::from_str(raw).ok()?;
    // Postgres takes every character but NUL.
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")))
}

fn is_true(value: &RawValue) -> bool {
    let yes = |text: &str| text.eq_ignore_ascii_case("true") || text == "1";
    value.get() == "true" || text(value).is_some_and(|text| yes(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(item: &str) -> Option<String> {
        Fields::of(item).unwrap().comment.map(Cow::into_owned)
    }

    #[test]
    fn only_objects_have_fields() {
        for item in ["7", "null", "\"{}\"", "[]", "[{}]", "{", ""] {
            assert!(Fields::of(item).is_none(), "{item}");
        }
        assert_eq!(Fields::of(" {} ").unwrap().event, None);
    }

    #[test]
    fn texts_may_be_of_any_type() {
        let cases = [
            (r#"" a \"b\"\n""#, Some("a \"b\"")),
            ("550", Some("550")),
            ("-1.50e9", Some("-1.50e9")),
            ("123456789012345678901234567890", Some("123456789012345678901234567890")),
            (r#""""#, None),
            (r#"" \t ""#, None),
            ("null", None),
            ("true", None),
            ("false", None),
            (r#"{"a":"b"}"#, None),
            (r#"["a"]"#, None),
        ];
        for (value, expected) in cases {
            assert_eq!(comment(&format!(r#"{{"comment": {value} }}"#)).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn what_needs_no_decoding_is_borrowed() {
        let fields = Fields::of("{\"url\":\" https://a.example/\u{e9} \",\"time\":5}").unwrap();
        assert!(matches!(fields.url, Some(Cow::Borrowed("https://a.example/\u{e9}"))), "{fields:?}");
        assert!(matches!(fields.time, Some(Cow::Borrowed("5"))), "{fields:?}");
    }

    #[test]
    fn lone_surrogates_spoil_nothing_but_themselves() {
        let fields =
            Fields::of(r#"{"\ud800":1,"comment":"a\udc00b","event":"sent","url":"\ud83d\ude00"}"#).unwrap();
        let comment = fields.comment.unwrap();
        assert!(comment.starts_with("a\u{fffd}") && comment.ends_with("\u{fffd}b"), "{comment}");
        assert_eq!((fields.event.as_deref(), fields.url.as_deref()), (Some("sent"), Some("\u{1f600}")));
    }

    #[test]
    fn names_may_be_escaped_and_the_last_of_two_counts() {
        assert_eq!(comment(r#"{"comment":"a","\u0063omment":"b"}"#).as_deref(), Some("b"));
        assert_eq!(comment(r#"{"comment":"a","comment":null}"#), None);
        assert_eq!(comment(r#"{"Comment":"a"}"#), None);
        assert!(!Fields::of(r#"{"hard_bounce":true,"hard_bounce":false}"#).unwrap().hard_bounce);
    }

    #[test]
    fn yes_has_several_spellings() {
        let hard = |value: &str| Fields::of(&format!(r#"{{"hard_bounce":{value}}}"#)).unwrap().hard_bounce;
        for yes in ["true", r#""true""#, r#"" TRUE ""#, "1", r#""1""#] {
            assert!(hard(yes), "{yes}");
        }
        for no in ["false", r#""false""#, "0", r#""0""#, r#""""#, "null", "{}", "[true]", r#""yes?""#] {
            assert!(!hard(no), "{no}");
        }
    }
}

//! The fields of one item, each of any type, missing or empty: Mailjet's payloads have been seen with all of these.

use std::collections::HashMap;

use serde_json::value::RawValue;

pub(super) struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// The fields of an object; nothing when the item is no object.
    pub(super) fn of(item: &'a str) -> Option<Self> {
        serde_json::from_str(item).ok().map(Self)
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// A field as text, if it is there and not empty: a string's content, or a number or bool to the letter.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        let text = match raw.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(raw).ok()?,
            b'{' | b'[' | b'n' => return None,
            _ => raw.to_owned(),
        };
        // Postgres takes every character but this one.
        let text = text.replace('\0', "\u{fffd}");
        (!text.trim().is_empty()).then_some(text)
    }

    /// A field that is an integer, as a number or a text, to the last digit. A float has lost digits, and is none.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// A field that says yes: `true`, `"true"`, `1` or `"1"`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
    }
}

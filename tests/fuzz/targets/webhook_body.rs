//! A body of any bytes: it is read whenever it is a JSON object or array, each item is kept to the letter, and none
//! depends on its neighbours.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mailjet::events::{Items, items, normalise};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let now = Timestamp::constant(1_767_225_600, 0);
    let without_mark = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // As the door checks it, which passes over what strings hold.
    let opened = matches!(without_mark.trim_ascii_start().first(), Some(b'{' | b'['));
    let is_webhook = opened && serde_json::from_slice::<IgnoredAny>(without_mark).is_ok();
    let read = items(body);
    assert_eq!(read.is_ok(), is_webhook);
    for item in read.iter().flat_map(Items::iter) {
        let event = normalise(item, now);
        assert_eq!(event.raw, item);
        assert_eq!(serde_json::from_str::<&RawValue>(item).unwrap().get(), item, "an item is a JSON value");
        assert!(!event.effect.proves_sent || !event.recipient.is_empty());
        let between = format!("[1,{item},{{\"event\":\"sent\"}}]");
        let between = items(between.as_bytes()).unwrap();
        let between: Vec<&str> = between.iter().collect();
        assert_eq!(between.len(), 3);
        assert_eq!(normalise(between[1], now), event);
    }
});

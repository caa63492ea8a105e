//! A send request, parsed once into what the rest of Raven works with; every fault is found, not only the first.

mod addresses;
mod attachments;
mod fields;
pub(crate) mod schema;

use std::collections::{BTreeMap, HashSet};

use domain::{Message, limits};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::problem::Fault;
use fields::{Fields, escape};

/// Reads one message. `base` is the JSON pointer at which it stands in the body.
pub(crate) fn message(value: Value, base: &str, now: Timestamp) -> Result<Message, Vec<Fault>> {
    let mut fields = Fields::of(value, base)?;
    channel(&mut fields);
    let (to, cc, bcc) = addresses::recipients(&mut fields);
    let message = Message {
        from: addresses::single(&mut fields, "from"),
        to,
        cc,
        bcc,
        reply_to: addresses::single(&mut fields, "replyTo"),
        subject: subject(&mut fields),
        body_html: fields.text("bodyHtml").filter(|text| !text.is_empty()),
        body_text: fields.text("bodyText").filter(|text| !text.is_empty()),
        template_id: template(&mut fields),
        variables: fields.object("variables"),
        attachments: attachments::read(&mut fields),
        headers: headers(&mut fields),
        tags: tags(&mut fields),
        track_opens: fields.flag("trackOpens"),
        track_clicks: fields.flag("trackClicks"),
        metadata: metadata(&mut fields),
        scheduled_at: schedule(&mut fields, now),
    };
    if message.body_html.is_none() && message.body_text.is_none() && message.template_id.is_none() {
        fields.fault("bodyText", "is needed, unless there is bodyHtml or templateId");
    }
    fields.finish(message)
}

fn channel(fields: &mut Fields) {
    if fields.text("channel").is_some_and(|channel| channel != "email") {
        fields.fault("channel", "is not email, which is the only channel");
    }
}

fn subject(fields: &mut Fields) -> Option<String> {
    let subject = fields.text("subject")?;
    if subject.chars().any(char::is_control) {
        fields.fault("subject", "holds a line break or another control character");
    }
    if subject.chars().count() > limits::SUBJECT_CHARS {
        fields.fault("subject", format!("has over {} characters", limits::SUBJECT_CHARS));
    }
    Some(subject)
}

fn template(fields: &mut Fields) -> Option<i64> {
    let value = fields.take("templateId")?;
    let id = whole(&value).filter(|&id| id > 0);
    if id.is_none() {
        fields.fault("templateId", "is not a whole number from 1");
    }
    id
}

/// A whole number, however it is written: 7.0 is one for JSON Schema, and for writers in JavaScript or Lua.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })
}

fn headers(fields: &mut Fields) -> BTreeMap<String, String> {
    let object = fields.object("headers").unwrap_or_default();
    if object.len() > limits::HEADERS {
        fields.fault("headers", format!("has over {} entries", limits::HEADERS));
    }
    let mut headers = BTreeMap::new();
    let mut names = HashSet::new();
    for (name, value) in object {
        let pointer = format!("headers/{}", escape(&name));
        let Value::String(value) = value else {
            fields.fault(&pointer, "is not a text");
            continue;
        };
        if let Err(fault) = domain::headers::check(&name, &value) {
            fields.fault(&pointer, fault.to_string());
        }
        // Header names ignore case (RFC 5322, section 1.2.2).
        if !names.insert(name.to_ascii_lowercase()) {
            fields.fault(&pointer, "is given twice");
        }
        headers.insert(name, value);
    }
    headers
}

fn tags(fields: &mut Fields) -> Vec<String> {
    let list = fields.list("tags");
    if list.len() > limits::TAGS {
        fields.fault("tags", format!("has over {} entries", limits::TAGS));
    }
    let mut tags = Vec::new();
    for (place, value) in list.into_iter().enumerate() {
        match value {
            Value::String(tag) if is_tag(&tag) => tags.push(tag),
            _ => fields.fault(
                &format!("tags/{place}"),
                format!("is not a text of 1 to {} characters without control characters", limits::TAG_CHARS),
            ),
        }
    }
    tags
}

fn is_tag(tag: &str) -> bool {
    !tag.trim().is_empty() && tag.chars().count() <= limits::TAG_CHARS && !tag.chars().any(char::is_control)
}

fn metadata(fields: &mut Fields) -> Option<serde_json::Map<String, Value>> {
    let object = fields.object("metadata")?;
    let size = serde_json::to_string(&object).map_or(usize::MAX, |text| text.len());
    if size > limits::METADATA_BYTES {
        fields.fault("metadata", format!("has over {} bytes as compact JSON", limits::METADATA_BYTES));
    }
    Some(object)
}

/// A time that is past is taken as well, and means at once: clocks differ, and the sender wants it sent.
fn schedule(fields: &mut Fields, now: Timestamp) -> Option<Timestamp> {
    let text = fields.text("scheduledAt")?;
    let Ok(at) = text.parse::<Timestamp>() else {
        fields.fault("scheduledAt", "is not a time such as 2026-01-31T08:00:00Z");
        return None;
    };
    let latest = now.saturating_add(SignedDuration::from_hours(24 * limits::SCHEDULE_DAYS));
    if latest.is_ok_and(|latest| at > latest) {
        fields.fault("scheduledAt", format!("is over {} days ahead", limits::SCHEDULE_DAYS));
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn faults(value: Value) -> Vec<(String, String)> {
        let faults = message(value, "", now()).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
    }

    fn pointers(value: Value) -> Vec<String> {
        faults(value).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn a_whole_request() {
        let request = json!({
            "channel": "email", "to": "Ada <ada@example.com>", "cc": ["b@example.com", {"email": "c@example.com"}],
            "from": {"email": "raven@example.com", "name": "Raven"}, "replyTo": "help@example.com",
            "subject": "Hello", "bodyHtml": "<b>Hi</b>", "bodyText": "Hi", "variables": {"a": 1},
            "attachments": [{"filename": "a.txt", "contentType": "text/plain", "content": "aGk="}],
            "headers": {"X-Order": "42"}, "tags": ["order"], "trackOpens": false, "trackClicks": true,
            "metadata": {"order": 42}, "scheduledAt": "2026-01-03T00:00:00+01:00"
        });
        let message = message(request, "", now()).unwrap();
        insta::assert_json_snapshot!(message);
        assert_eq!(message.attachments[0].content, "hi".as_bytes());
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let request = json!({
            "to": ["nobody", "ok@example.com"], "subject": "a\r\nBcc: x@example.com", "bodyHTML": "misspelt",
            "headers": {"From": "x"}, "tags": [""], "templateId": "1", "channel": "sms", "trackOpens": "yes",
            "scheduledAt": "tomorrow"
        });
        insta::assert_json_snapshot!(pointers(request));
    }

    #[test]
    fn recipients_are_counted_over_all_fields_and_once_each() {
        let many = |count: usize| (0..count).map(|n| format!("r{n}@example.com")).collect::<Vec<_>>();
        let fifty = json!({"to": many(50), "cc": "R1@example.com", "bodyText": "x"});
        assert!(message(fifty, "", now()).is_ok());
        assert_eq!(pointers(json!({"to": many(50), "cc": "other@example.com", "bodyText": "x"})), ["/to"]);
        assert_eq!(pointers(json!({"bodyText": "x"})), ["/to"]);
    }

    #[test]
    fn pointers_stand_behind_their_base() {
        let faults = message(json!({"to": "a@example.com"}), "/messages/3", now()).unwrap_err();
        assert_eq!(faults[0].pointer, "/messages/3/bodyText");
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
        let template = |id: &str| {
            let request = format!(r#"{{"to": "a@b.co", "templateId": {id}}}"#);
            message(serde_json::from_str(&request).unwrap(), "", now()).ok()?.template_id
        };
        let read = ["7", "7.0", "7e1", "7.5", "0", "-7.0", "1e30"].map(template);
        assert_eq!(read, [Some(7), Some(7), Some(70), None, None, None, None]);
    }

    #[test]
    fn a_header_stands_once() {
        let twice = json!({"to": "a@b.co", "bodyText": "x", "headers": {"X-Order": "1", "x-order": "2", "X-Other": "3"}});
        assert_eq!(pointers(twice), ["/headers/x-order"]);
    }

    #[test]
    fn schedules_are_bounded() {
        let at =
            |time: &str| message(json!({"to": "a@b.co", "bodyText": "x", "scheduledAt": time}), "", now());
        assert!(at("2026-02-02T00:00:00Z").is_err());
        assert!(at("2025-01-01T00:00:00Z").is_ok());
    }

    proptest! {
        #[test]
        fn nothing_that_breaks_a_header_gets_through(text in "\\PC{0,10}[\r\n\0]\\PC{0,10}") {
            let request = json!({"to": "a@b.co", "bodyText": "x", "subject": text, "headers": {"X-A": text}});
            prop_assert!(message(request, "", now()).is_err());
        }
    }
}

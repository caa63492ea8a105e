//! What has to hold of a send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Message, MessageId, QueuedMessage, TenantId, limits};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{body, door};

/// When everything is asked for.
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Checks the body of a send.
///
/// # Panics
/// Where it is accepted and exceeds a bound, could break a header, is another message when it is asked for once more in
/// its plainest form, or comes out of the queue as another.
pub fn send_request_holds(body: &[u8]) {
    let Some(message) = read(body) else { return };
    bounded(&message);
    breaks_no_header(&message);
    assert_eq!(asked_again(&message).as_ref(), Some(&message));
    let queued = QueuedMessage {
        id: MessageId(Uuid::from_u128(1)),
        tenant: TenantId(Uuid::from_u128(2)),
        accepted_at: NOW,
        sandbox: false,
        digest: String::new(),
        message,
    };
    let out = queued.encode().ok().and_then(|bytes| QueuedMessage::decode(&bytes).ok());
    assert_eq!(out, Some(queued));
}

/// Reads a body as a message, as `POST /v1/messages` does.
fn read(bytes: &[u8]) -> Option<Message> {
    door::message(body::parse(bytes).ok()?, "", NOW).ok()
}

fn bounded(message: &Message) {
    assert!((1..=limits::RECIPIENTS).contains(&message.distinct_recipients()) && !message.to.is_empty());
    assert!(message.subject.as_ref().is_none_or(|text| text.chars().count() <= limits::SUBJECT_CHARS));
    assert!(message.body_html.is_some() || message.body_text.is_some() || message.template_id.is_some());
    assert!(message.template_id.is_none_or(|id| id > 0));
    assert!(message.tags.len() <= limits::TAGS && message.headers.len() <= limits::HEADERS);
    let files: usize = message.attachments.iter().map(|file| file.content.len()).sum();
    assert!(files <= limits::ATTACHMENT_BYTES && message.attachments.len() <= limits::ATTACHMENTS);
    let metadata = message.metadata.clone().map_or(0, |object| Value::Object(object).to_string().len());
    assert!(metadata <= limits::METADATA_BYTES);
    let latest = NOW + SignedDuration::from_hours(24 * limits::SCHEDULE_DAYS);
    assert!(message.scheduled_at.is_none_or(|at| at <= latest));
}

fn breaks_no_header(message: &Message) {
    let people = message.recipients().map(|(_, mailbox)| mailbox);
    let people = people.chain(&message.from).chain(&message.reply_to);
    let mut texts: Vec<&str> = Vec::new();
    for mailbox in people {
        texts.push(mailbox.email.as_str());
        texts.extend(mailbox.name.as_deref());
    }
    for file in &message.attachments {
        texts.extend([file.filename.as_str(), &file.content_type]);
        texts.extend(file.content_id.as_deref());
    }
    texts.extend(message.headers.keys().map(String::as_str));
    // A tab is white space within a header (RFC 5322, section 2.2.2).
    texts.extend(message.headers.values().flat_map(|value| value.split('\t')));
    texts.extend(message.tags.iter().map(String::as_str));
    texts.extend(message.subject.as_deref());
    assert!(!texts.iter().any(|text| text.chars().any(char::is_control)), "{texts:?}");
}

/// The same request as its message is written, with the contents of its files.
fn asked_again(message: &Message) -> Option<Message> {
    let mut request = serde_json::to_value(message).ok()?;
    for (place, file) in message.attachments.iter().enumerate() {
        request["attachments"][place]["content"] = Value::String(STANDARD.encode(&file.content));
    }
    read(request.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Map, json};

    use super::*;

    fn address() -> impl Strategy<Value = Value> {
        let written = select(vec![
            "a@b.co",
            "Ada <ada@example.com>",
            "\"L, A\" <b@xn--bcher-kva.de>",
            "no",
            "Z\u{f6}@b\u{fc}.de",
        ]);
        let parts = (select(vec!["a@b.co", " c@d.ie "]), of("\\PC{0,4}|[ \\t\"<>]{0,3}"));
        prop_oneof![
            written.prop_map(Value::from),
            parts.prop_map(|(email, name)| json!({"email": email, "name": name})),
        ]
    }

    fn people() -> impl Strategy<Value = Value> {
        prop_oneof![address(), vec(address(), 0..3).prop_map(Value::from)]
    }

    /// Any JSON, with numbers of every kind.
    fn data() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            let object = btree_map("\\PC{0,3}", inner.clone(), 0..4)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>());
            prop_oneof![object.prop_map(Value::Object), vec(inner, 0..3).prop_map(Value::from)]
        })
    }

    fn file() -> impl Strategy<Value = Value> {
        (any::<Vec<u8>>(), of(select(vec!["", "logo", "a\nb"]))).prop_map(|(bytes, id)| {
            json!({"filename": "a.txt", "contentType": "text/plain", "contentId": id, "content": STANDARD.encode(bytes)})
        })
    }

    /// Each field is well-formed more often than not, so that many requests are accepted as a whole.
    fn fields() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
        let text = || prop_oneof![4 => "\\PC{1,8}", 1 => any::<String>()].prop_map(Value::from);
        let field = prop_oneof![
            ("cc|bcc").prop_flat_map(
                |name| people().prop_map(move |people| (if name == "cc" { "cc" } else { "bcc" }, people))
            ),
            address().prop_map(|one| ("from", one)),
            address().prop_map(|one| ("replyTo", one)),
            text().prop_map(|text| ("subject", text)),
            text().prop_map(|text| ("bodyHtml", text)),
            data().prop_map(|any| ("variables", json!({"a": any}))),
            data().prop_map(|any| ("metadata", json!({"a": any}))),
            vec(file(), 0..3).prop_map(|files| ("attachments", Value::from(files))),
            text().prop_map(|text| ("headers", json!({"X-Order": text, "List-Id2": "a\tb"}))),
            vec(text(), 0..3).prop_map(|tags| ("tags", Value::from(tags))),
            any::<i64>().prop_map(|id| ("templateId", Value::from(id))),
            (0i64..40).prop_map(|days| (
                "scheduledAt",
                json!((NOW + SignedDuration::from_hours(24 * days)).to_string())
            )),
        ];
        vec(field, 0..5)
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_the_same_when_it_comes_again(to in people(), fields in fields()) {
            let mut request = json!({"to": to, "bodyText": "x"});
            for (name, value) in fields {
                request[name] = value;
            }
            send_request_holds(request.to_string().as_bytes());
        }
    }

    #[test]
    fn the_least_request_is_accepted_here() {
        assert!(read(br#"{"to":"a@b.co","bodyText":"x","headers":{"X-Order":"a\tb"}}"#).is_some());
    }
}

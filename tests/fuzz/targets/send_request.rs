//! A body of any bytes as a send: what is accepted keeps every bound, cannot break a header, is the same message when it is
//! asked for once more in its plainest form, and comes out of the queue as it went in.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Message, MessageId, QueuedMessage, TenantId, limits};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fuzz_target!(|body: &[u8]| {
    let Some(message) = ingest::fuzzing::send_request(body, NOW) else { return };
    bounded(&message);
    breaks_no_header(&message);
    let again = asked_again(&message);
    assert_eq!(ingest::fuzzing::send_request(&again, NOW).as_ref(), Some(&message));
    let queued = QueuedMessage {
        id: MessageId(Uuid::from_u128(1)),
        tenant: TenantId(Uuid::from_u128(2)),
        accepted_at: NOW,
        sandbox: false,
        digest: String::new(),
        message,
    };
    let bytes = queued.encode().unwrap();
    assert_eq!(QueuedMessage::decode(&bytes).unwrap(), queued);
});

fn bounded(message: &Message) {
    assert!((1..=limits::RECIPIENTS).contains(&message.distinct_recipients()) && !message.to.is_empty());
    assert!(message.subject.as_ref().is_none_or(|text| text.chars().count() <= limits::SUBJECT_CHARS));
    assert!(message.body_html.is_some() || message.body_text.is_some() || message.template_id.is_some());
    assert!(message.template_id.is_none_or(|id| id > 0));
    assert!(message.tags.len() <= limits::TAGS && message.headers.len() <= limits::HEADERS);
    let files: usize = message.attachments.iter().map(|file| file.content.len()).sum();
    assert!(files <= limits::ATTACHMENT_BYTES && message.attachments.len() <= limits::ATTACHMENTS);
    let metadata = message.metadata.as_ref().map_or(0, |object| serde_json::to_string(object).unwrap().len());
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
    texts.extend(message.headers.iter().flat_map(|(name, value)| [name.as_str(), value]));
    texts.extend(message.tags.iter().map(String::as_str));
    texts.extend(message.subject.as_deref());
    assert!(!texts.iter().any(|text| text.chars().any(char::is_control)), "{texts:?}");
}

fn asked_again(message: &Message) -> Vec<u8> {
    let mut request = serde_json::to_value(message).unwrap();
    for (place, file) in message.attachments.iter().enumerate() {
        request["attachments"][place]["content"] = json!(STANDARD.encode(&file.content));
    }
    request.to_string().into_bytes()
}

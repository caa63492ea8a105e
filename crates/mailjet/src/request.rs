//! What the Send API v3.1 expects. Properties that it does not know are an error to it (`send-0001`), and empty ones
//! are another, so everything optional is left out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Attachment, Mailbox, Message, MessageId};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// A message for one call.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Our id; Mailjet's `CustomID`.
    pub id: MessageId,
    /// The sender.
    pub from: &'a Mailbox,
    /// Everything else, without the recipients that are to be left out.
    pub message: &'a Message,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendRequest<'a> {
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    sandbox_mode: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireMessage<'a> {
    from: WireMailbox<'a>,
    to: Vec<WireMailbox<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc: Vec<WireMailbox<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bcc: Vec<WireMailbox<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<WireMailbox<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_part: Option<&'a str>,
    #[serde(rename = "HTMLPart", skip_serializing_if = "Option::is_none")]
    html_part: Option<&'a str>,
    #[serde(rename = "TemplateID", skip_serializing_if = "Option::is_none")]
    template_id: Option<i64>,
    #[serde(skip_serializing_if = "is_false")]
    template_language: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<WireAttachment<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inlined_attachments: Vec<WireAttachment<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_opens: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_clicks: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_payload: Option<String>,
    #[serde(rename = "CustomID")]
    custom_id: MessageId,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireMailbox<'a> {
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireAttachment<'a> {
    content_type: &'a str,
    filename: &'a str,
    #[serde(rename = "ContentID", skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    #[serde(serialize_with = "as_base64")]
    base64_content: &'a [u8],
}

fn as_base64<S: Serializer>(content: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(content))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> SendRequest<'a> {
    pub(crate) fn of(messages: &[Outgoing<'a>], sandbox: bool) -> Self {
        Self { messages: messages.iter().map(WireMessage::of).collect(), sandbox_mode: sandbox }
    }
}

impl<'a> WireMessage<'a> {
    fn of(outgoing: &Outgoing<'a>) -> Self {
        let message = outgoing.message;
        let (inline, attached): (Vec<_>, Vec<_>) =
            message.attachments.iter().partition(|file| file.content_id.is_some());
        Self {
            from: WireMailbox::of(outgoing.from),
            to: to(outgoing),
            cc: message.cc.iter().map(WireMailbox::of).collect(),
            bcc: message.bcc.iter().map(WireMailbox::of).collect(),
            reply_to: message.reply_to.as_ref().map(WireMailbox::of),
            subject: message.subject.as_deref(),
            text_part: filled(message.body_text.as_ref()),
            html_part: filled(message.body_html.as_ref()),
            template_id: message.template_id,
            // Placeholders stay literal without it.
            template_language: message.template_id.is_some() || message.variables.is_some(),
            variables: message.variables.as_ref().map(without_nulls),
            attachments: attached.into_iter().map(WireAttachment::of).collect(),
            inlined_attachments: inline.into_iter().map(WireAttachment::of).collect(),
            headers: &message.headers,
            track_opens: message.track_opens.map(switch),
            track_clicks: message.track_clicks.map(switch),
            event_payload: message.metadata.as_ref().map(|data| Value::Object(data.clone()).to_string()),
            custom_id: outgoing.id,
        }
    }
}

/// Mailjet wants a `To`. When only hidden recipients are left the sender stands there, as in a mail to undisclosed
/// recipients: any of them would be shown to the others.
fn to<'a>(outgoing: &Outgoing<'a>) -> Vec<WireMailbox<'a>> {
    match outgoing.message.to.as_slice() {
        [] => vec![WireMailbox::of(outgoing.from)],
        to => to.iter().map(WireMailbox::of).collect(),
    }
}

/// An empty text part upsets Mailjet's templates.
fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// A null value, however deep, makes Mailjet answer 500; an empty text stands for the same.
fn without_nulls(variables: &Map<String, Value>) -> Map<String, Value> {
    variables.iter().map(|(name, value)| (name.clone(), filled_in(value))).collect()
}

fn filled_in(value: &Value) -> Value {
    match value {
        Value::Null => Value::String(String::new()),
        Value::Array(list) => list.iter().map(filled_in).collect(),
        Value::Object(object) => Value::Object(without_nulls(object)),
        other => other.clone(),
    }
}

const fn switch(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

impl<'a> WireMailbox<'a> {
    fn of(mailbox: &'a Mailbox) -> Self {
        Self { email: mailbox.email.to_ascii(), name: mailbox.name.as_deref() }
    }
}

impl<'a> WireAttachment<'a> {
    fn of(file: &'a Attachment) -> Self {
        Self {
            content_type: &file.content_type,
            filename: &file.filename,
            content_id: file.content_id.as_deref(),
            base64_content: &file.content,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn wire(message: &Message, sandbox: bool) -> Value {
        let from = Mailbox::parse("Raven <raven@example.com>").unwrap();
        let outgoing = Outgoing { id: MessageId(Uuid::from_u128(9)), from: &from, message };
        serde_json::to_value(SendRequest::of(&[outgoing], sandbox)).unwrap()
    }

    #[test]
    fn a_full_message() {
        let map = |value: Value| value.as_object().cloned();
        let message = Message {
            to: vec![Mailbox::parse("Ada <ada@bücher.example>").unwrap()],
            cc: vec![Mailbox::parse("bob@example.com").unwrap()],
            reply_to: Some(Mailbox::parse("help@example.com").unwrap()),
            subject: Some("Hello".to_owned()),
            body_html: Some("<b>Hi</b>".to_owned()),
            body_text: Some(String::new()),
            variables: map(json!({"a": null, "b": 1, "c": [{"d": null}]})),
            attachments: vec![Attachment {
                filename: "a.txt".to_owned(),
                content_type: "text/plain".to_owned(),
                content_id: Some("logo".to_owned()),
                content: "hi".into(),
            }],
            headers: BTreeMap::from([("X-Order".to_owned(), "42".to_owned())]),
            track_opens: Some(false),
            metadata: map(json!({"order": 42})),
            ..Message::default()
        };
        insta::assert_json_snapshot!(wire(&message, true));
    }

    #[test]
    fn a_small_message_says_no_more_than_it_must() {
        let message = Message {
            to: vec![Mailbox::parse("ada@example.com").unwrap()],
            body_text: Some("Hi".to_owned()),
            ..Message::default()
        };
        insta::assert_json_snapshot!(wire(&message, false));
    }
}

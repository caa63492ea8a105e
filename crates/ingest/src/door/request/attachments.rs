//! Attachments: decoded here, so that their size is known and the queue carries them as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Attachment, limits};
use serde_json::Value;

use super::fields::Fields;

pub(super) fn read(fields: &mut Fields) -> Vec<Attachment> {
    let list = fields.list("attachments");
    if list.len() > limits::ATTACHMENTS {
        fields.fault("attachments", format!("has over {} entries", limits::ATTACHMENTS));
    }
    let mut attachments = Vec::with_capacity(list.len());
    for (place, value) in list.into_iter().enumerate() {
        let path = format!("attachments/{place}");
        attachments.extend(one(fields, &path, value));
    }
    let bytes: usize = attachments.iter().map(|file| file.content.len()).sum();
    if bytes > limits::ATTACHMENT_BYTES {
        fields.fault("attachments", format!("has {bytes} bytes; at most {}", limits::ATTACHMENT_BYTES));
    }
    attachments
}

fn one(fields: &mut Fields, path: &str, value: Value) -> Option<Attachment> {
    let mut nested = fields.adopt(Fields::of(value, &fields.pointer(path)))?;
    let filename = required(&mut nested, "filename");
    let content_type = required(&mut nested, "contentType");
    let content = required(&mut nested, "content").unwrap_or_default();
    let content = STANDARD.decode(content).unwrap_or_else(|_| {
        nested.fault("content", "is not base64");
        Vec::new()
    });
    let content_id = nested.text("contentId");
    for (name, value) in [("filename", &filename), ("contentType", &content_type), ("contentId", &content_id)]
    {
        if value.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            nested.fault(name, "holds a line break or another control character");
        }
    }
    let (filename, content_type) = fields.adopt(nested.finish((filename, content_type)))?;
    Some(Attachment { filename: filename?, content_type: content_type?, content_id, content: content.into() })
}

fn required(nested: &mut Fields, name: &str) -> Option<String> {
    if !nested.has(name) {
        nested.fault(name, "is needed");
        return None;
    }
    let text = nested.text(name)?;
    if text.is_empty() {
        nested.fault(name, "is empty");
    }
    Some(text)
}

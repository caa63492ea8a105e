//! A checked message on its way into the ledger.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An address as callers write it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase", serialize = "camelCase"))]
pub(crate) struct Mailbox {
    /// The e-mail address, in the caller's case.
    pub(crate) email: String,
    /// The display name.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// What is kept of an attachment: everything but its content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "File", rename_all = "camelCase")]
pub(crate) struct Attachment {
    /// Name of the file.
    pub(crate) filename: String,
    /// Media type.
    pub(crate) content_type: String,
    /// Bytes after decoding.
    pub(crate) size: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    filename: String,
    content_type: String,
    base64_content: String,
}

impl From<File> for Attachment {
    fn from(file: File) -> Self {
        let size = STANDARD.decode(file.base64_content).map_or(0, |content| content.len());
        Self { filename: file.filename, content_type: file.content_type, size }
    }
}

/// The properties of a message that the ledger keeps. Lists are empty and the rest absent when not given.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase", serialize = "camelCase"), default)]
pub(crate) struct Draft {
    #[serde(rename(deserialize = "CustomID"))]
    pub(crate) custom_id: String,
    pub(crate) from: Option<Mailbox>,
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    pub(crate) bcc: Vec<Mailbox>,
    pub(crate) reply_to: Option<Mailbox>,
    pub(crate) subject: Option<String>,
    pub(crate) text_part: Option<String>,
    #[serde(rename(deserialize = "HTMLPart"))]
    pub(crate) html_part: Option<String>,
    pub(crate) headers: Map<String, Value>,
    pub(crate) event_payload: Option<String>,
    #[serde(rename(deserialize = "TemplateID"))]
    pub(crate) template_id: Option<i64>,
    pub(crate) template_language: bool,
    pub(crate) variables: Map<String, Value>,
    pub(crate) custom_campaign: Option<String>,
    pub(crate) deduplicate_campaign: bool,
    pub(crate) track_opens: Option<String>,
    pub(crate) track_clicks: Option<String>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) inlined_attachments: Vec<Attachment>,
}

impl Draft {
    /// Every address of To, Cc and Bcc, in that order, repeated ones included.
    pub(crate) fn addressees(&self) -> impl Iterator<Item = &Mailbox> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    /// About how many bytes it takes in memory.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.subject, &self.text_part, &self.html_part, &self.event_payload];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let members: usize =
            self.headers.iter().chain(&self.variables).map(|(k, v)| k.len() + rough(v)).sum();
        texts + members + 512 * (1 + self.addressees().count())
    }
}

/// About how many bytes a value takes.
fn rough(value: &Value) -> usize {
    32 + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(rough).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + rough(value)).sum(),
        _ => 0,
    }
}

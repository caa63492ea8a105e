//! A message as its sender asked for it, after every rule was checked.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Mailbox;

/// One e-mail to send. Values of this type keep the limits of [`crate::limits`]; the door checks them once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    /// The sender; the provider account's own when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Mailbox>,
    /// Who gets it, all seeing each other.
    pub to: Vec<Mailbox>,
    /// Who gets a copy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Mailbox>,
    /// Who gets a hidden copy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<Mailbox>,
    /// Where answers go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Mailbox>,
    /// The subject line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The HTML body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_html: Option<String>,
    /// The plain text body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// A template kept at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<i64>,
    /// What the template's placeholders stand for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Map<String, Value>>,
    /// Files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Headers beyond those that the fields above stand for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Words by which the sender groups messages; they stay in Raven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether opens are counted; the account's own setting when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_opens: Option<bool>,
    /// Whether clicks are counted; the account's own setting when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_clicks: Option<bool>,
    /// Data of the sender's, kept with the message and repeated in its events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// When to send it; at once when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its name.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// The id by which the HTML body shows it; such a file is inline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Its bytes. They travel behind the JSON of a queued message, not in it.
    #[serde(skip)]
    pub content: Bytes,
}

/// The header of the mail in which a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `To`
    To,
    /// `Cc`
    Cc,
    /// `Bcc`
    Bcc,
}

impl Field {
    /// The name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::Cc => "cc",
            Self::Bcc => "bcc",
        }
    }
}

impl Message {
    /// Every recipient as written, with the header it stands in.
    pub fn recipients(&self) -> impl Iterator<Item = (Field, &Mailbox)> {
        (self.to.iter().map(|to| (Field::To, to)))
            .chain(self.cc.iter().map(|cc| (Field::Cc, cc)))
            .chain(self.bcc.iter().map(|bcc| (Field::Bcc, bcc)))
    }

    /// The same message without the recipients whose address has a key that `leave_out` holds for. A mail needs a
    /// `To`: when none is left there, those of `Cc`, who are visible as well, take its place.
    #[must_use]
    pub fn without(mut self, leave_out: impl Fn(&str) -> bool) -> Self {
        for list in [&mut self.to, &mut self.cc, &mut self.bcc] {
            list.retain(|mailbox| !leave_out(&mailbox.email.key()));
        }
        if self.to.is_empty() {
            self.to = std::mem::take(&mut self.cc);
        }
        self
    }

    /// How many recipients there are, an address in several places counted once.
    pub fn distinct_recipients(&self) -> usize {
        if let ([_], [], []) = (&*self.to, &*self.cc, &*self.bcc) {
            return 1;
        }
        self.recipients().map(|(_, mailbox)| mailbox.email.key()).collect::<HashSet<_>>().len()
    }

    /// Bytes that this message adds to a call, roughly: its texts, and its files as base64.
    pub fn wire_size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let files: usize = self.attachments.iter().map(|file| file.content.len().div_ceil(3) * 4).sum();
        1024 + text(&self.body_html) + text(&self.body_text) + text(&self.subject) + files
    }
}

//! A message that was accepted, and its recipients.

use std::{collections::HashSet, sync::Mutex};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use uuid::Uuid;

use super::{
    draft::{Draft, Mailbox},
    track::Track,
};
use crate::util::lock;

/// An accepted message, as the control endpoint shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Position among all accepted messages, from 1, in the order of acceptance.
    pub(crate) seq: u64,
    /// When its call came in, before any latency.
    pub(crate) received_at: Timestamp,
    /// When it was accepted.
    pub(crate) accepted_at: Timestamp,
    /// The API key it came in under.
    pub(crate) api_key: String,
    /// It passed in sandbox mode: it has no ids, no events, and no row at the look-up.
    pub(crate) sandbox: bool,
    /// Which call of the send endpoint brought it, from 1.
    pub(crate) call: u64,
    /// What the caller gave.
    #[serde(flatten)]
    pub(crate) draft: Draft,
    /// Distinct recipients, in the order they are first named.
    pub(crate) recipients: Vec<Recipient>,
}

impl Message {
    /// The recipient with this address, whatever its case.
    pub(crate) fn recipient(&self, email: &str) -> Option<usize> {
        let email = email.to_lowercase();
        self.recipients.iter().position(|recipient| recipient.email == email)
    }
}

/// One recipient of one message: the unit that Mailjet numbers and reports on.
#[derive(Debug)]
pub(crate) struct Recipient {
    /// Address in lower case, as events and rows show it.
    pub(crate) email: String,
    /// `MessageID`; 0 in sandbox mode.
    pub(crate) id: u64,
    /// `MessageUUID`; nil in sandbox mode.
    pub(crate) uuid: Uuid,
    /// It had mail of the same deduplicated campaign before, so this one is not sent.
    pub(crate) repeated: bool,
    /// What became of it.
    pub(crate) track: Mutex<Track>,
}

impl Recipient {
    /// `MessageUUID` as it is written: empty in sandbox mode.
    pub(crate) fn uuid_text(&self) -> String {
        if self.uuid.is_nil() { String::new() } else { self.uuid.to_string() }
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Recipient", 4)?;
        row.serialize_field("email", &self.email)?;
        row.serialize_field("messageId", &self.id.to_string())?;
        row.serialize_field("messageUuid", &self.uuid_text())?;
        row.serialize_field("status", lock(&self.track).status())?;
        row.end()
    }
}

/// Makes the recipients of a draft: one for each distinct address, with an id from `next_id`.
pub(super) fn recipients(draft: &Draft, mut next_id: impl FnMut() -> Option<u64>) -> Vec<Recipient> {
    let mut seen = HashSet::new();
    let distinct = draft.addressees().filter_map(|Mailbox { email, .. }| {
        let email = email.to_lowercase();
        seen.insert(email.clone()).then_some(email)
    });
    let numbered = distinct.map(|email| {
        let id = next_id();
        let uuid = if id.is_some() { Uuid::new_v4() } else { Uuid::nil() };
        Recipient { email, id: id.unwrap_or(0), uuid, repeated: false, track: Mutex::default() }
    });
    numbered.collect()
}

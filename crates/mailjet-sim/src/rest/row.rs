//! One row of the look-up: one recipient of one message.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::query::{Parameters, is_true};
use crate::{
    events::happening::Happening,
    ledger::message::{Message, Recipient},
    util::{lock, number_of},
};

/// What a row is made of.
#[derive(Debug, Clone)]
pub(super) struct Row {
    message: Arc<Message>,
    recipient: usize,
}

/// Words of `Status`, by the number that `MessageStatus` filters on.
const STATUSES: &[&str] = &[
    "unknown",
    "queued",
    "sent",
    "opened",
    "clicked",
    "bounce",
    "spam",
    "unsub",
    "blocked",
    "hardbounced",
    "softbounced",
    "deferred",
];

impl Row {
    pub(super) fn new(message: Arc<Message>, recipient: usize) -> Self {
        Self { message, recipient }
    }

    /// The rows of a message.
    pub(super) fn all(message: &Arc<Message>) -> impl Iterator<Item = Self> + use<> {
        let message = Arc::clone(message);
        (0..message.recipients.len()).map(move |at| Self::new(Arc::clone(&message), at))
    }

    /// `MessageID`.
    pub(super) fn id(&self) -> u64 {
        self.recipient().map_or(0, |recipient| recipient.id)
    }

    /// When its message was accepted.
    pub(super) fn accepted_at(&self) -> Timestamp {
        self.message.accepted_at
    }

    fn recipient(&self) -> Option<&Recipient> {
        self.message.recipients.get(self.recipient)
    }

    /// Whether the row passes the filters on what became of it and when it came.
    pub(super) fn passes(&self, parameters: &Parameters) -> bool {
        let Some(recipient) = self.recipient() else { return false };
        let arrived = self.message.accepted_at.as_second();
        let time = |name: &str| parameters.get(name).and_then(|text| seconds(text));
        let status = lock(&recipient.track).status();
        let is_status = |wanted: &String| {
            let named = wanted.parse().ok().and_then(|number: usize| STATUSES.get(number).copied());
            named.unwrap_or(wanted.as_str()) == status
        };
        let contact = number_of(&["contact", &recipient.email]).to_string();
        parameters.get("MessageStatus").is_none_or(is_status)
            && parameters.get("Contact").is_none_or(|wanted| *wanted == contact)
            && parameters.get("CustomID").is_none_or(|wanted| *wanted == self.message.draft.custom_id)
            && time("FromTS").is_none_or(|from| arrived >= from)
            && time("ToTS").is_none_or(|to| arrived <= to)
    }

    /// The row as it is shown; some fields only when asked for.
    pub(super) fn to_json(&self, parameters: &Parameters) -> Value {
        let Some(recipient) = self.recipient() else { return Value::Null };
        let draft = &self.message.draft;
        let (status, latest) = {
            let track = lock(&recipient.track);
            (track.status(), track.latest())
        };
        let shown = |name: &str, value: &str| {
            if is_true(parameters, name) { value.to_owned() } else { String::new() }
        };
        let campaign = draft.custom_campaign.as_deref().unwrap_or_default();
        let sender = draft.from.as_ref().map_or("", |from| from.email.as_str());
        json!({
            "ArrivedAt": format!("{:.0}", self.message.accepted_at),
            "AttachmentCount": draft.attachments.len() + draft.inlined_attachments.len(),
            "AttemptCount": 0,
            "CampaignID": number_of(&["campaign", &self.message.api_key, campaign]),
            "ContactAlt": shown("ShowContactAlt", &recipient.email),
            "ContactID": number_of(&["contact", &recipient.email]),
            "CustomID": shown("ShowCustomID", &draft.custom_id),
            "Delay": 0,
            "DestinationID": number_of(&["domain", recipient.email.rsplit('@').next().unwrap_or_default()]),
            "FilterTime": 0,
            "ID": recipient.id,
            "IsClickTracked": draft.track_clicks.as_deref() == Some("enabled"),
            "IsHTMLPartIncluded": draft.html_part.is_some(),
            "IsOpenTracked": draft.track_opens.as_deref() == Some("enabled"),
            "IsTextPartIncluded": draft.text_part.is_some(),
            "IsUnsubTracked": false,
            "MessageSize": draft.text_part.as_ref().map_or(0, String::len) + draft.html_part.as_ref().map_or(0, String::len),
            "SenderID": number_of(&["sender", sender]),
            "SpamassassinScore": 0,
            "SpamassRules": "",
            "StateID": latest.map_or(0, Happening::state_id),
            "StatePermanent": latest == Some(Happening::HardBounce),
            "Status": status,
            "Subject": shown("ShowSubject", draft.subject.as_deref().unwrap_or_default()),
            "UUID": recipient.uuid_text(),
        })
    }
}

/// Seconds since 1970, given so or as RFC 3339.
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_second))
}

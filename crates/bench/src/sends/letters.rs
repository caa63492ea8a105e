//! Made-up messages of one recipient, as ingest puts them on the queue.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use domain::{Mailbox, Message, MessageId, QueuedMessage, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::tenants::account;
use crate::installation::{SECRET, Tenant};
use crate::parcel::Parcel;

/// Who sends, if the tenant's account does not say so.
const FROM: &str = "shop@example.com";

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) tenant: Uuid,
    /// The account that it is sent with.
    pub(super) account: String,
    pub(super) email: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) accepted_at: Timestamp,
    /// As it is queued, and kept.
    pub(super) body: Bytes,
}

impl Letter {
    /// So many messages of these tenants in turn, each with a text of so many bytes.
    pub(super) fn write(count: usize, tenants: &[Tenant], bytes: usize) -> Result<Vec<Self>> {
        let accounts: Vec<String> = tenants.iter().map(account).collect();
        let all = tenants.iter().zip(accounts).cycle().take(count).zip(1..);
        all.map(|((tenant, account), number)| Self::one(tenant, account, (number, bytes))).collect()
    }

    fn one(tenant: &Tenant, account: String, (number, bytes): (usize, usize)) -> Result<Self> {
        // Of version 7, which rise with time, as the ids that ingest makes do.
        let (id, accepted_at) = (Uuid::now_v7(), Timestamp::now());
        // The stand-in tells no events about these addresses.
        let email = format!("silent+{number}@example.com");
        let (subject, text) = (subject(number), text(number, bytes));
        let message = Message {
            to: vec![Mailbox::parse(&email).ok().context("a made-up address is none")?],
            subject: Some(subject.clone()),
            body_text: Some(text.clone()),
            ..Message::default()
        };
        let queued = QueuedMessage {
            id: MessageId(id),
            tenant: TenantId(tenant.id),
            accepted_at,
            sandbox: false,
            digest: "bench".to_owned(),
            message,
        };
        let body = queued.encode()?;
        Ok(Self { id, tenant: tenant.id, account, email, subject, text, accepted_at, body })
    }

    /// All of them, ready to be published.
    pub(super) fn parcels(letters: &[Self]) -> Arc<[Parcel]> {
        letters.iter().map(|letter| Parcel::send(letter.id, letter.tenant, letter.body.clone())).collect()
    }

    /// As one of the messages of a call.
    pub(super) fn in_call(&self) -> Value {
        json!({
            "From": {"Email": FROM},
            "To": [{"Email": self.email}],
            "Subject": self.subject,
            "TextPart": self.text,
            "CustomID": self.id,
        })
    }
}

/// The body of a POST to ingest.
pub(super) fn post(number: usize, bytes: usize) -> Vec<u8> {
    let email = format!("silent+{number}@example.com");
    let body = json!({"to": email, "subject": subject(number), "bodyText": text(number, bytes)});
    body.to_string().into_bytes()
}

/// The header by which an account is known.
pub(super) fn authorization(account: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{account}:{SECRET}"));
    format!("Authorization: Basic {pair}\r\n")
}

fn subject(number: usize) -> String {
    format!("Your order {number} is on its way")
}

fn text(number: usize, bytes: usize) -> String {
    let line =
        format!("Thank you for order {number}. It has left our warehouse and will be with you soon.\n");
    let mut text = line.repeat(bytes.div_ceil(line.len()));
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_take_turns_and_each_letter_is_what_ingest_would_queue() {
        let tenant = |id| Tenant { id: Uuid::from_u128(id), key: String::new() };
        let letters = Letter::write(5, &[tenant(1), tenant(2)], 1000).unwrap();
        let tenants: Vec<u128> = letters.iter().map(|letter| letter.tenant.as_u128()).collect();
        assert_eq!(tenants, [1, 2, 1, 2, 1]);
        assert!(letters.is_sorted_by_key(|letter| letter.id));
        let queued = QueuedMessage::decode(&letters[3].body).unwrap();
        assert_eq!((queued.id.0, queued.tenant.0), (letters[3].id, letters[3].tenant));
        assert_eq!(queued.message.to[0].email.as_str(), letters[3].email);
        assert_eq!(queued.message.body_text.map(|text| text.len()), Some(1000));
    }
}

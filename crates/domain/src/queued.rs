//! A message on its way from ingest to worker, and as it is kept until it ages out.
//!
//! One JSON document, directly followed by the bytes of the attachments in order. Base64 would take an attachment
//! of 15 MB beyond the 16 MiB that RabbitMQ 4 lets through; this way it also reads well in a queue browser.

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Message, MessageId, TenantId};

/// The version that this build writes. It reads this one only.
const VERSION: u8 = 1;

/// An accepted message.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedMessage {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When ingest took it on.
    pub accepted_at: Timestamp,
    /// Whether it stays in the provider's sandbox.
    pub sandbox: bool,
    /// A digest of the request, by which a repeat is told from another message under the same idempotency key.
    pub digest: String,
    /// What to send.
    pub message: Message,
}

/// Why bytes are no queued message.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The JSON in front is not what this build reads.
    #[error("the queued message is not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the queued message has version {0}; this build reads version {VERSION}")]
    Version(u8),
    /// The bytes behind the JSON are not those that it announces.
    #[error("the queued message announces {announced} bytes of attachments and has {found}")]
    Attachments {
        /// Bytes that the JSON names.
        announced: usize,
        /// Bytes that are there.
        found: usize,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadOut<'a> {
    v: u8,
    id: MessageId,
    tenant_id: TenantId,
    accepted_at: Timestamp,
    sandbox: bool,
    digest: &'a str,
    message: &'a Message,
    attachment_bytes: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadIn {
    v: u8,
    id: MessageId,
    tenant_id: TenantId,
    accepted_at: Timestamp,
    sandbox: bool,
    digest: String,
    message: Message,
    attachment_bytes: Vec<usize>,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u8,
}

impl QueuedMessage {
    /// The bytes that travel.
    pub fn encode(&self) -> Result<Bytes, serde_json::Error> {
        let files = &self.message.attachments;
        let head = HeadOut {
            v: VERSION,
            id: self.id,
            tenant_id: self.tenant,
            accepted_at: self.accepted_at,
            sandbox: self.sandbox,
            digest: &self.digest,
            message: &self.message,
            attachment_bytes: files.iter().map(|file| file.content.len()).collect(),
        };
        let mut bytes = BytesMut::new().writer();
        serde_json::to_writer(&mut bytes, &head)?;
        let mut bytes = bytes.into_inner();
        for file in files {
            bytes.extend_from_slice(&file.content);
        }
        Ok(bytes.freeze())
    }

    /// Reads what [`Self::encode`] wrote. The attachments share `bytes`.
    pub fn decode(bytes: &Bytes) -> Result<Self, Unreadable> {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<HeadIn>();
        let head = match values.next() {
            Some(Ok(head)) => head,
            Some(Err(fault)) => return Err(other_version(bytes).unwrap_or(Unreadable::Json(fault))),
            None => return Err(Unreadable::Attachments { announced: 0, found: 0 }),
        };
        if head.v != VERSION {
            return Err(Unreadable::Version(head.v));
        }
        let mut rest = bytes.slice(values.byte_offset()..);
        let mut message = head.message;
        let announced = head.attachment_bytes.iter().fold(0, |sum: usize, &next| sum.saturating_add(next));
        if announced != rest.len() || head.attachment_bytes.len() != message.attachments.len() {
            return Err(Unreadable::Attachments { announced, found: rest.len() });
        }
        for (file, length) in message.attachments.iter_mut().zip(head.attachment_bytes) {
            file.content = rest.split_to(length);
        }
        Ok(Self {
            id: head.id,
            tenant: head.tenant_id,
            accepted_at: head.accepted_at,
            sandbox: head.sandbox,
            digest: head.digest,
            message,
        })
    }
}

/// A document of another version may have any other fields, but it has a version.
fn other_version(bytes: &[u8]) -> Option<Unreadable> {
    let version = serde_json::Deserializer::from_slice(bytes).into_iter::<VersionOnly>().next()?.ok()?.v;
    (version != VERSION).then_some(Unreadable::Version(version))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{Attachment, Mailbox};

    fn sample(files: Vec<Vec<u8>>) -> QueuedMessage {
        let attachments = files.into_iter().enumerate().map(|(n, content)| Attachment {
            filename: format!("{n}.bin"),
            content_type: "application/octet-stream".to_owned(),
            content_id: None,
            content: content.into(),
        });
        let message = Message {
            to: vec![Mailbox::parse("Ada <ada@example.com>").unwrap()],
            subject: Some("Hello \u{0} there".to_owned()),
            body_text: Some("}{".to_owned()),
            attachments: attachments.collect(),
            ..Message::default()
        };
        QueuedMessage {
            id: MessageId(Uuid::from_u128(1)),
            tenant: TenantId(Uuid::from_u128(2)),
            accepted_at: Timestamp::UNIX_EPOCH,
            sandbox: false,
            digest: "d".to_owned(),
            message,
        }
    }

    #[test]
    fn the_wire_shape_is_kept() {
        let bytes = sample(vec![b"{}".to_vec()]).encode().unwrap();
        insta::assert_snapshot!(String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn another_version_is_named() {
        let fault = QueuedMessage::decode(&Bytes::from_static(br#"{"v":2,"new":true}"#)).unwrap_err();
        assert!(matches!(fault, Unreadable::Version(2)), "{fault}");
    }

    #[test]
    fn a_cut_attachment_is_found_out() {
        let bytes = sample(vec![vec![1, 2, 3]]).encode().unwrap();
        let fault = QueuedMessage::decode(&bytes.slice(..bytes.len() - 1)).unwrap_err();
        assert!(matches!(fault, Unreadable::Attachments { announced: 3, found: 2 }), "{fault}");
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        for number in [1.234_567_890_123_456_7e27, 0.1 + 0.2, f64::MAX, f64::MIN_POSITIVE] {
            let mut queued = sample(Vec::new());
            let data = serde_json::json!({"a": number}).as_object().cloned();
            (queued.message.metadata, queued.message.variables) = (data.clone(), data);
            assert_eq!(QueuedMessage::decode(&queued.encode().unwrap()).unwrap(), queued);
        }
    }

    proptest! {
        #[test]
        fn any_number_comes_out_as_it_went_in(number in any::<f64>()) {
            let mut queued = sample(Vec::new());
            queued.message.metadata = serde_json::json!({"a": number}).as_object().cloned();
            prop_assert_eq!(QueuedMessage::decode(&queued.encode().unwrap()).unwrap(), queued);
        }

        #[test]
        fn what_is_written_is_read(files in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let queued = sample(files);
            prop_assert_eq!(QueuedMessage::decode(&queued.encode().unwrap()).unwrap(), queued);
        }

        #[test]
        fn junk_never_panics(junk in any::<Vec<u8>>()) {
            prop_assert!(QueuedMessage::decode(&Bytes::from(junk)).is_err());
        }
    }
}

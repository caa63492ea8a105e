//! The words and rules of Raven.
//!
//! Guarantee: everything here is pure. Time and chance are arguments, so that every rule can be
//! property-tested, and two processes that know the same facts come to the same answer.
//!
//! This crate must never do I/O, and must never know SQL, AMQP or Mailjet's wire format.

pub mod address;
pub mod api_key;
pub mod audit;
pub mod event;
pub mod headers;
pub mod ids;
pub mod key_name;
pub mod limits;
pub mod message;
pub mod outcome;
pub mod pace;
pub mod queued;
pub mod retry;
pub mod rhythm;
pub mod sending_domain;
pub mod status;
pub mod suppression;
pub mod webhook_token;

pub use address::{EmailAddress, Mailbox};
pub use audit::{Action, Actor};
pub use event::{DeliveryEvent, Effect, EventKind, Fingerprint};
pub use ids::{DomainId, EventId, MessageId, TenantId, TokenId};
pub use key_name::KeyName;
pub use message::{Attachment, Message};
pub use outcome::{Acceptance, Outcome, Reason};
pub use queued::QueuedMessage;
pub use rhythm::Rhythm;
pub use sending_domain::{DomainName, DomainRecord, DomainStatus, Purpose, RecordStatus};
pub use status::Status;
pub use suppression::SuppressionReason;

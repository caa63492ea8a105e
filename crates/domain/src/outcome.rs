//! How one message's part in one API call ended: the four outcomes.

use uuid::Uuid;

use crate::EmailAddress;

/// Exactly one of these is recorded for each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the message on.
    Accepted(Vec<Acceptance>),
    /// The provider refused the message; asking again would get the same answer.
    Refused(Reason),
    /// The provider has certainly not taken the message on, for a cause that may pass: safe to send again.
    NotSent(Reason),
    /// Nobody here knows whether the provider took the message on: it must be asked, not sent again.
    Uncertain(Reason),
}

/// What the provider calls one recipient's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The recipient, in the form by which addresses are compared.
    pub email_key: String,
    /// The provider's id of this copy; none in sandbox mode. Mailjet's exceed 2^53, so never a float.
    pub message_id: Option<i64>,
    /// The provider's UUID of this copy; none in sandbox mode, or when it is no valid UUID.
    pub message_uuid: Option<Uuid>,
}

impl Acceptance {
    /// An acceptance that names no ids, as the sandbox gives.
    pub fn without_ids(email: &EmailAddress) -> Self {
        Self { email_key: email.key(), message_id: None, message_uuid: None }
    }
}

/// A cause that a user can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A short stable code: the provider's own where it gave one, else one of ours.
    pub code: String,
    /// The provider's words, or ours, with what to do.
    pub message: String,
}

impl Reason {
    /// Joins a code and a message. The words may be a stranger's: NUL, which Postgres does not take, is replaced, and
    /// they are cut to a length that people read.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let clean = |text: String, most: usize| -> String {
            text.trim().chars().take(most).map(|char| if char == '\0' { '\u{fffd}' } else { char }).collect()
        };
        Self { code: clean(code.into(), 100), message: clean(message.into(), 2000) }
    }
}

impl Outcome {
    /// The name under which attempts are recorded.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Refused(_) => "refused",
            Self::NotSent(_) => "not_sent",
            Self::Uncertain(_) => "uncertain",
        }
    }

    /// The cause, where the outcome has one.
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Accepted(_) => None,
            Self::Refused(reason) | Self::NotSent(reason) | Self::Uncertain(reason) => Some(reason),
        }
    }
}

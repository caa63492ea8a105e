//! What a provider tells of a message after it was sent, in one vocabulary.

use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Status, SuppressionReason};

/// The type of a delivery event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The recipient's server took the mail.
    Delivered,
    /// It refused for good.
    HardBounce,
    /// It refused for a reason that may pass; the provider has given up on this message.
    SoftBounce,
    /// It asked to come again; the provider goes on trying.
    Deferred,
    /// The provider itself refused.
    Blocked,
    /// The recipient called it spam.
    SpamComplaint,
    /// The recipient unsubscribed.
    Unsubscribe,
    /// The mail was opened.
    Open,
    /// A link was followed.
    Click,
    /// Something that this version does not understand; kept as it came.
    Unknown,
}

impl EventKind {
    /// The name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::HardBounce => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::Deferred => "deferred",
            Self::Blocked => "blocked",
            Self::SpamComplaint => "spam_complaint",
            Self::Unsubscribe => "unsubscribe",
            Self::Open => "open",
            Self::Click => "click",
            Self::Unknown => "unknown",
        }
    }
}

/// Every type.
pub const KINDS: [EventKind; 10] = [
    EventKind::Delivered,
    EventKind::HardBounce,
    EventKind::SoftBounce,
    EventKind::Deferred,
    EventKind::Blocked,
    EventKind::SpamComplaint,
    EventKind::Unsubscribe,
    EventKind::Open,
    EventKind::Click,
    EventKind::Unknown,
];

/// The text names no type of event.
#[derive(Debug, thiserror::Error)]
#[error(
    "is not one of delivered, hard_bounce, soft_bounce, deferred, blocked, spam_complaint, unsubscribe, open, click, unknown"
)]
pub struct UnknownKind;

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        KINDS.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

/// What an event does, beyond being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// Where the recipient's status moves, if that is forward.
    pub status: Option<Status>,
    /// Whether the event proves that the provider took the whole message on: then a message whose fate was not
    /// known counts as sent.
    pub proves_sent: bool,
    /// Whether, and why, the address gets no more mail.
    pub suppression: Option<SuppressionReason>,
}

impl Effect {
    /// The effect of an event of this kind.
    pub const fn of(kind: EventKind) -> Self {
        let (status, suppression) = match kind {
            EventKind::Delivered => (Some(Status::Delivered), None),
            EventKind::HardBounce => (Some(Status::HardBounced), Some(SuppressionReason::HardBounce)),
            EventKind::SoftBounce => (Some(Status::SoftBounced), None),
            EventKind::Blocked => (Some(Status::Blocked), None),
            EventKind::SpamComplaint => (Some(Status::Complained), Some(SuppressionReason::SpamComplaint)),
            EventKind::Unsubscribe => (Some(Status::Unsubscribed), Some(SuppressionReason::Unsubscribed)),
            EventKind::Deferred | EventKind::Open | EventKind::Click => (None, None),
            EventKind::Unknown => return Self::none(),
        };
        Self { status, proves_sent: true, suppression }
    }

    /// The effect of an event that says nothing of the recipient's own mail, but shows that the provider has it.
    pub const fn only_proof() -> Self {
        Self { status: None, proves_sent: true, suppression: None }
    }

    /// No effect at all.
    pub const fn none() -> Self {
        Self { status: None, proves_sent: false, suppression: None }
    }
}

/// By what two reports of the same event are known to be the same: 16 bytes of a SHA-256 over its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Of parts in a fixed order; each part's length goes in as well, so that no two lists of parts collide.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        Self(short)
    }
}

/// One event, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryEvent {
    /// What happened.
    pub kind: EventKind,
    /// What follows from it.
    pub effect: Effect,
    /// By what a repeat is recognised.
    pub fingerprint: Fingerprint,
    /// The recipient's address as it came; empty when the event names none.
    pub recipient: String,
    /// When it happened, where the event says so.
    pub occurred_at: Option<Timestamp>,
    /// Our id of the message, where the event carries one in our form.
    pub message_id: Option<Uuid>,
    /// The provider's id of the message, as exact text.
    pub provider_message_id: Option<String>,
    /// The provider's UUID of the message, if it is one.
    pub provider_message_uuid: Option<Uuid>,
    /// Why, in the most telling of the provider's words.
    pub reason: Option<String>,
    /// The link that was followed.
    pub url: Option<String>,
    /// Whence it was opened or clicked.
    pub ip: Option<String>,
    /// The country of that address, as the provider writes it.
    pub geo: Option<String>,
    /// The program that opened or clicked.
    pub user_agent: Option<String>,
    /// The provider's own JSON, to the letter.
    pub raw: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_parts_apart() {
        let of = |parts: &[&str]| Fingerprint::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["a", "bc"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
    }

    #[test]
    fn names_of_types_round_trip_and_are_all_listed() {
        for kind in KINDS {
            assert_eq!(kind.as_str().parse::<EventKind>().ok(), Some(kind));
            assert!(UnknownKind.to_string().contains(kind.as_str()));
        }
        assert!("sent".parse::<EventKind>().is_err());
    }

    #[test]
    fn only_three_kinds_suppress() {
        use EventKind::{Blocked, HardBounce, Open, SoftBounce, SpamComplaint, Unsubscribe};
        let reasons =
            [HardBounce, SpamComplaint, Unsubscribe].map(|kind| Effect::of(kind).suppression.is_some());
        assert_eq!(reasons, [true; 3]);
        assert!([Blocked, Open, SoftBounce].iter().all(|&kind| Effect::of(kind).suppression.is_none()));
    }
}

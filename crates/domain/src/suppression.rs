//! Why an address gets no more mail from a tenant.

pub mod file;

use std::str::FromStr;

/// The reason of a suppression, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionReason {
    /// Put on the list by hand.
    Manual,
    /// The recipient unsubscribed.
    Unsubscribed,
    /// The recipient's server refused for good.
    HardBounce,
    /// The recipient complained of spam.
    SpamComplaint,
}

/// Every reason.
pub const ALL: [SuppressionReason; 4] = [
    SuppressionReason::Manual,
    SuppressionReason::Unsubscribed,
    SuppressionReason::HardBounce,
    SuppressionReason::SpamComplaint,
];

impl SuppressionReason {
    /// The name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Unsubscribed => "unsubscribed",
            Self::HardBounce => "hard_bounce",
            Self::SpamComplaint => "spam_complaint",
        }
    }
}

/// The text names no reason.
#[derive(Debug, thiserror::Error)]
#[error("is not one of hard_bounce, spam_complaint, unsubscribed, manual")]
pub struct UnknownReason;

impl FromStr for SuppressionReason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, UnknownReason> {
        ALL.into_iter().find(|reason| reason.as_str() == name).ok_or(UnknownReason)
    }
}

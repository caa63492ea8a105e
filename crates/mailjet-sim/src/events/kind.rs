//! The types of event that Mailjet knows.

use serde::{Deserialize, Serialize};

/// A type of event; the numbers are those of the filters and error texts of `eventcallbackurl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub(crate) enum EventType {
    Click = 1,
    Bounce = 2,
    Spam = 3,
    Blocked = 4,
    Unsub = 5,
    Open = 6,
    Sent = 7,
}

impl EventType {
    const ALL: [Self; 7] =
        [Self::Click, Self::Bounce, Self::Spam, Self::Blocked, Self::Unsub, Self::Open, Self::Sent];

    /// The word in events and in `EventType`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Bounce => "bounce",
            Self::Spam => "spam",
            Self::Blocked => "blocked",
            Self::Unsub => "unsub",
            Self::Open => "open",
            Self::Sent => "sent",
        }
    }

    /// The number in filters and error texts.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// Reads the word or the number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let by_number = |kind: &Self| text.parse() == Ok(kind.number());
        Self::ALL.into_iter().find(|kind| kind.name() == text || by_number(kind))
    }
}

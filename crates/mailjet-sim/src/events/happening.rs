//! What can happen to one recipient's mail, and which addresses make it happen.

use super::kind::EventType;
use crate::util::word;

/// Something that happens to one recipient's mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The recipient's server took it.
    Sent,
    /// It was opened.
    Open,
    /// A link in it was clicked.
    Click,
    /// The address does not exist.
    HardBounce,
    /// Delivery was given up, though the address may be good.
    SoftBounce,
    /// The recipient's server asks to come again, which Mailjet does.
    Greylisted,
    /// Mailjet did not try, for the address bounced before.
    Blocked,
    /// Mailjet did not try, for the address had mail of this campaign.
    Repeated,
    /// The recipient complained.
    Spam,
    /// The recipient unsubscribed.
    Unsub,
}

impl Happening {
    /// The type of event that tells it.
    pub(crate) fn event_type(self) -> EventType {
        match self {
            Self::Sent => EventType::Sent,
            Self::Open => EventType::Open,
            Self::Click => EventType::Click,
            Self::HardBounce | Self::SoftBounce | Self::Greylisted => EventType::Bounce,
            Self::Blocked | Self::Repeated => EventType::Blocked,
            Self::Spam => EventType::Spam,
            Self::Unsub => EventType::Unsub,
        }
    }

    /// The plainest happening that this type of event tells.
    pub(crate) fn of(event_type: EventType) -> Self {
        match event_type {
            EventType::Sent => Self::Sent,
            EventType::Open => Self::Open,
            EventType::Click => Self::Click,
            EventType::Bounce => Self::HardBounce,
            EventType::Blocked => Self::Blocked,
            EventType::Spam => Self::Spam,
            EventType::Unsub => Self::Unsub,
        }
    }

    /// The word for it in `Status` of a row.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Open => "opened",
            Self::Click => "clicked",
            Self::HardBounce => "hardbounced",
            Self::SoftBounce => "softbounced",
            Self::Greylisted => "deferred",
            Self::Blocked | Self::Repeated => "blocked",
            Self::Spam => "spam",
            Self::Unsub => "unsub",
        }
    }

    /// The word for it in `EventType` of a history.
    pub(crate) fn in_history(self) -> &'static str {
        match self {
            Self::HardBounce | Self::SoftBounce | Self::Greylisted => "bounced",
            other => other.status(),
        }
    }

    /// How far along it is; a status is only replaced by one as far.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Greylisted => 0,
            Self::Sent => 1,
            Self::Open => 2,
            Self::Click => 3,
            Self::SoftBounce | Self::HardBounce | Self::Blocked | Self::Repeated => 4,
            Self::Unsub => 5,
            Self::Spam => 6,
        }
    }

    /// `StateID` of a row; 0 where nothing went wrong or no reason is told.
    pub(crate) fn state_id(self) -> u8 {
        match self {
            Self::HardBounce => 1,
            Self::Greylisted => 13,
            Self::Blocked => 14,
            Self::Repeated => 15,
            _ => 0,
        }
    }

    /// `error_related_to` and `error` of its event.
    pub(crate) fn error(self) -> (&'static str, &'static str) {
        match self {
            Self::HardBounce => ("recipient", "user unknown"),
            Self::Greylisted => ("domain", "greylisted"),
            Self::Blocked => ("mailjet", "preblocked"),
            Self::Repeated => ("mailjet", "duplicate in campaign"),
            _ => ("", ""),
        }
    }

    /// The answer of the recipient's server that its event carries in `comment`.
    pub(crate) fn comment(self) -> &'static str {
        match self {
            Self::HardBounce => "550 5.1.1 The email account that you tried to reach does not exist",
            Self::SoftBounce => "421 4.7.0 Messages temporarily deferred; delivery was given up",
            Self::Greylisted => "450 4.2.0 Greylisted, please try again later",
            _ => "",
        }
    }
}

/// What happens to mail for this address, in order. The [`word`] of it decides.
pub(crate) fn plan(email: &str) -> &'static [Happening] {
    use Happening::{Blocked, Click, Greylisted, HardBounce, Open, Repeated, Sent, SoftBounce, Spam, Unsub};

    match word(email).as_str() {
        "bounce" => &[HardBounce],
        "soft" => &[SoftBounce],
        "spam" => &[Sent, Spam],
        "unsub" => &[Sent, Unsub],
        "blocked" => &[Blocked],
        "duplicate" => &[Repeated],
        "greylisted" => &[Greylisted, Sent],
        "open" => &[Sent, Open],
        "click" => &[Sent, Open, Click],
        "silent" => &[],
        _ => &[Sent],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_part_decides() {
        for email in ["bounce@x.co", "Bounce+7@x.co", "bounce-a@x.co", "BOUNCE.b@x.co"] {
            assert_eq!(plan(email), [Happening::HardBounce], "{email}");
        }
        for email in ["bouncer@x.co", "ann@bounce.co", "ann+bounce@x.co"] {
            assert_eq!(plan(email), [Happening::Sent], "{email}");
        }
        assert_eq!(plan("silent+1@x.co"), []);
        assert_eq!(plan("click@x.co").len(), 3);
    }
}

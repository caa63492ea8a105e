//! What has become of a message, and the order in which that may change.

use std::str::FromStr;

/// The status of a recipient or a message. The order of the variants is the order of progress: evidence from
/// Mailjet only ever moves a status to a later one, whatever order it arrives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Status {
    /// Accepted for a later time.
    Scheduled = 0,
    /// Accepted, or waiting for another attempt.
    Queued = 10,
    /// Claimed by a worker; Mailjet may be about to hear of it, or its answer is being found out.
    Sending = 20,
    /// Given up: refused by Mailjet, or never accepted within the retry window.
    Failed = 30,
    /// Accepted by Mailjet.
    Sent = 40,
    /// Refused by the recipient's server for a reason that may pass.
    SoftBounced = 50,
    /// Accepted by the recipient's server.
    Delivered = 60,
    /// Refused by Mailjet itself.
    Blocked = 70,
    /// Refused by the recipient's server for good.
    HardBounced = 80,
    /// The recipient unsubscribed.
    Unsubscribed = 90,
    /// The recipient complained of spam.
    Complained = 100,
    /// Left out, since the recipient is on the tenant's suppression list.
    Suppressed = 110,
    /// Withdrawn before it was claimed.
    Canceled = 120,
}

/// Every status, in order.
pub const ALL: [Status; 13] = [
    Status::Scheduled,
    Status::Queued,
    Status::Sending,
    Status::Failed,
    Status::Sent,
    Status::SoftBounced,
    Status::Delivered,
    Status::Blocked,
    Status::HardBounced,
    Status::Unsubscribed,
    Status::Complained,
    Status::Suppressed,
    Status::Canceled,
];

impl Status {
    /// The number that stands for this status in the database; greater is later.
    pub const fn rank(self) -> i16 {
        self as i16
    }

    /// The status of a stored number.
    pub fn from_rank(rank: i16) -> Option<Self> {
        ALL.into_iter().find(|status| status.rank() == rank)
    }

    /// The name in the API. Both kinds of bounce are `bounced`; only their place in the order differs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::SoftBounced | Self::HardBounced => "bounced",
            Self::Delivered => "delivered",
            Self::Blocked => "blocked",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
            Self::Canceled => "canceled",
        }
    }

    /// Where `evidence` from Mailjet leads from here: forward or nowhere. `Suppressed` and `Canceled` stand last,
    /// since mail that was never handed over has no fate at Mailjet.
    #[must_use]
    pub fn advance(self, evidence: Self) -> Self {
        self.max(evidence)
    }

    /// The status of a message from those of its recipients: the most serious one; recipients that were left out
    /// count only when all were.
    pub fn of_message(recipients: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (left_out, sent): (Vec<_>, Vec<_>) =
            recipients.into_iter().partition(|&status| status == Self::Suppressed);
        sent.into_iter().max().or(left_out.first().copied())
    }
}

/// The statuses that a name of the API stands for.
pub fn by_name(name: &str) -> Vec<Status> {
    ALL.into_iter().filter(|status| status.as_str() == name).collect()
}

impl FromStr for Status {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        by_name(name).pop().ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn the_order_is_the_contracts() {
        let mut ranks = ALL.map(Status::rank);
        ranks.sort_unstable();
        assert_eq!(ranks, ALL.map(Status::rank));
        assert!(Status::SoftBounced < Status::Delivered && Status::Delivered < Status::HardBounced);
        assert_eq!(Status::Failed.advance(Status::Sent), Status::Sent);
        assert_eq!(Status::Canceled.advance(Status::Complained), Status::Canceled);
    }

    #[test]
    fn a_message_is_as_bad_off_as_its_worst_recipient() {
        use Status::{Delivered, HardBounced, Sent, Suppressed};
        assert_eq!(Status::of_message([Delivered, HardBounced, Sent]), Some(HardBounced));
        assert_eq!(Status::of_message([Suppressed, Sent]), Some(Sent));
        assert_eq!(Status::of_message([Suppressed, Suppressed]), Some(Suppressed));
        assert_eq!(Status::of_message([]), None);
    }

    proptest! {
        #[test]
        fn any_order_of_evidence_ends_the_same(
            start in select(&ALL[..]),
            evidence in proptest::collection::vec(select(&ALL[4..11]), 0..6),
            turn in 0usize..6,
        ) {
            let mut other = evidence.clone();
            let places = turn.min(other.len());
            other.rotate_left(places);
            let end = |list: &[Status]| list.iter().fold(start, |at, &next| at.advance(next));
            prop_assert_eq!(end(&evidence), end(&other));
            prop_assert!(end(&evidence) >= start);
        }

        #[test]
        fn ranks_and_names_round_trip(status in select(&ALL[..])) {
            prop_assert_eq!(Status::from_rank(status.rank()), Some(status));
            prop_assert!(by_name(status.as_str()).contains(&status));
        }
    }
}

//! How often a sending domain is looked at.

use std::time::Duration;

use crate::sending_domain::DomainStatus;

/// The periods between two looks at the same domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// While something is missing that people are about to publish.
    pub soon: Duration,
    /// Afterwards, and once it is verified: records that were there can go again.
    pub later: Duration,
    /// For how long it is looked at soon.
    pub soon_for: Duration,
    /// The longest that one look takes. Nobody begins another while it may go on; once it has ended, the period counts.
    pub look: Duration,
}

impl Rhythm {
    /// The period of a domain in this state, which it has been in for `since`.
    pub fn period(&self, status: DomainStatus, since: Duration) -> Duration {
        if status == DomainStatus::Pending && since < self.soon_for { self.soon } else { self.later }
    }

    /// For how long nobody else looks, whoever began now: for the period, or as long as the look may go on.
    pub fn hold(&self, period: Duration) -> Duration {
        period.max(self.look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        soon: Duration::from_secs(30),
        later: Duration::from_hours(1),
        soon_for: Duration::from_mins(10),
        look: Duration::from_secs(20),
    };

    #[test]
    fn what_is_new_is_looked_at_often_and_all_else_seldom() {
        let period = |status, seconds| RHYTHM.period(status, Duration::from_secs(seconds)).as_secs();
        assert_eq!(period(DomainStatus::Pending, 0), 30);
        assert_eq!(period(DomainStatus::Pending, 599), 30);
        assert_eq!(period(DomainStatus::Pending, 600), 3600);
        assert_eq!(period(DomainStatus::Verified, 0), 3600);
    }

    #[test]
    fn a_long_look_is_left_alone_and_does_not_lengthen_the_period() {
        let slow = Rhythm { look: Duration::from_mins(2), ..RHYTHM };
        let period = slow.period(DomainStatus::Pending, Duration::ZERO);
        assert_eq!((period, slow.hold(period)), (slow.soon, slow.look));
        assert_eq!(slow.hold(slow.later), slow.later);
    }
}

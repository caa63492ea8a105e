//! The last moment at which a call under a claim may begin.

use std::time::Duration;

use domain::retry::later;
use jiff::Timestamp;
use tokio::time::Instant;

/// A moment by two clocks. That of tokio stands still while the machine is suspended, and leases do not; that of the
/// wall can be set. The moment has passed as soon as one of them says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    at: Instant,
    wall: Timestamp,
}

impl Deadline {
    /// So long from now. Take this before claiming: the lease begins when the database hears of it.
    pub(super) fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, wall: later(Timestamp::now(), time) }
    }

    /// The moment by which to wake up.
    pub(super) const fn at(self) -> Instant {
        self.at
    }

    pub(super) fn passed(self) -> bool {
        Instant::now() >= self.at || Timestamp::now() >= self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn either_clock_ends_it() {
        let deadline = Deadline::after(Duration::from_mins(10));
        assert!(!deadline.passed());
        assert!(Deadline { wall: Timestamp::now(), ..deadline }.passed(), "the machine was suspended");
        assert!(Deadline { at: Instant::now(), ..deadline }.passed(), "the time is over");
    }
}

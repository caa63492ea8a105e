//! Whether a queue has been silent for so long that waiting for it is in vain.

use std::time::Duration;

use tokio::time::Instant;

/// What is under way to one queue, and when something was last heard of it.
#[derive(Debug)]
pub(super) struct Silence {
    count: usize,
    /// When the broker last answered, or what is under way began.
    stirred: Instant,
    /// When somebody was last let through to a silent queue.
    probed: Option<Instant>,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self { count: 0, stirred: now, probed: None }
    }

    /// Whether something is under way, and nothing was heard for longer than this.
    pub(super) fn is_longer(&self, than: Duration, now: Instant) -> bool {
        self.count > 0 && now.saturating_duration_since(self.stirred) > than
    }

    /// Whether somebody may go and look, once in so long. What is under way will tell when the queue is back; should that
    /// be lost, whoever is let through does.
    pub(super) fn probe(&mut self, every: Duration, now: Instant) -> bool {
        let recently =
            |probed: Instant| probed > self.stirred && now.saturating_duration_since(probed) < every;
        let may = !self.probed.is_some_and(recently);
        if may {
            self.probed = Some(now);
        }
        may
    }

    pub(super) fn begin(&mut self, count: usize, now: Instant) {
        if self.count == 0 {
            self.stirred = now;
        }
        self.count += count;
    }

    pub(super) fn over(&mut self, answered: bool, now: Instant) {
        self.count = self.count.saturating_sub(1);
        if answered {
            self.stirred = now;
        }
    }
}

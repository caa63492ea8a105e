//! When something that did not work is tried again. Time and chance are arguments.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Exponential backoff with full jitter inside a window.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The ceiling of the first delay.
    pub base: Duration,
    /// The ceiling of every delay.
    pub max: Duration,
    /// How long after the message was accepted it is given up.
    pub window: Duration,
}

impl RetryPolicy {
    /// The delay after `attempt` (counted from 1); `chance` is uniform in 0..1.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.max);
        ceiling.mul_f64(chance.clamp(0.0, 1.0))
    }

    /// How long until a message accepted at `since` is tried again after `attempt`; `None` when the window is over by
    /// then.
    pub fn next(&self, since: Timestamp, now: Timestamp, attempt: u32, chance: f64) -> Option<Duration> {
        let delay = self.delay(attempt, chance);
        self.covers(since, later(now, delay)).then_some(delay)
    }

    /// Whether a message accepted at `since` may still be tried at `at`.
    pub fn covers(&self, since: Timestamp, at: Timestamp) -> bool {
        at <= later(since, self.window)
    }
}

/// How often a provider is asked what became of a message before it is taken for not sent.
#[derive(Debug, Clone, Copy)]
pub struct ReconcilePolicy {
    /// The wait before the first question; it doubles with each.
    pub after: Duration,
    /// How many answers of "never heard of it" it takes. The provider's index lags behind its acceptance by a time
    /// that it does not document, so one answer proves nothing.
    pub look_ups: u32,
}

impl ReconcilePolicy {
    /// How long until to ask again after `done` answers of "never heard of it"; `None` when that is enough to send
    /// again.
    pub fn next(&self, done: u32) -> Option<Duration> {
        (done < self.look_ups).then(|| self.after.saturating_mul(1 << done.min(16)))
    }
}

/// `at` plus `duration`, at the end of time if that is beyond it.
pub fn later(at: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| at.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

/// `duration` before `at`, at the beginning of time if that is before it.
pub fn earlier(at: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| at.checked_sub(duration).ok())
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        base: Duration::from_secs(5),
        max: Duration::from_hours(1),
        window: Duration::from_hours(24),
    };

    #[test]
    fn delays_double_up_to_the_ceiling() {
        let at = |attempt| POLICY.delay(attempt, 1.0).as_secs();
        assert_eq!([at(1), at(2), at(3), at(11), at(4_000_000_000)], [5, 10, 20, 3600, 3600]);
    }

    #[test]
    fn unheard_of_messages_are_asked_for_several_times() {
        let policy = ReconcilePolicy { after: Duration::from_secs(30), look_ups: 3 };
        let waits: Vec<_> = (0..4).map(|done| policy.next(done).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(30), Some(60), Some(120), None]);
    }

    proptest! {
        #[test]
        fn no_retry_falls_outside_the_window(attempt in 1u32.., chance in 0.0..1.0f64, age in 0i64..200_000) {
            let since = Timestamp::UNIX_EPOCH;
            let now = later(since, Duration::from_secs(age.unsigned_abs()));
            if let Some(wait) = POLICY.next(since, now, attempt, chance) {
                prop_assert!(later(now, wait) <= later(since, POLICY.window));
            }
        }
    }
}

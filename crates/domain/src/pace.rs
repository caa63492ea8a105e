//! How many calls to one account may be in progress at once: more while they go well, fewer when they do not.
//!
//! Providers limit the rate of calls and do not say where the limit is, so it is felt for as TCP feels for the width of
//! a line (RFC 5681): the window grows by one with each good answer up to where trouble was met, slowly beyond, and is
//! halved by trouble. After trouble there is a pause, which doubles each time, and then one call that tries. Time and
//! chance are arguments.

use std::time::{Duration, Instant};

/// The bounds of a pace.
#[derive(Debug, Clone, Copy)]
pub struct PaceLimits {
    /// Calls at once to begin with.
    pub first: u32,
    /// Most calls at once.
    pub most: u32,
    /// The pause after trouble; each further trouble without a good answer in between doubles it.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

/// The pace of one account.
#[derive(Debug, Clone)]
pub struct Pace {
    limits: PaceLimits,
    window: f64,
    /// Up to here the window grows fast.
    threshold: f64,
    /// Troubles since the last good answer.
    troubles: u32,
    /// When the last trouble was felt: calls that began before tell nothing new.
    felt_at: Option<Instant>,
    resume_at: Option<Instant>,
}

impl Pace {
    /// A pace that knows nothing yet.
    pub fn new(limits: PaceLimits) -> Self {
        let (window, threshold) = (f64::from(limits.first), f64::from(limits.most));
        Self { limits, window, threshold, troubles: 0, felt_at: None, resume_at: None }
    }

    /// How many calls may be in progress at `now`: none during a pause, and one after it until that has an answer.
    pub fn slots(&self, now: Instant) -> usize {
        if self.resume_at.is_some_and(|at| now < at) {
            return 0;
        }
        if self.troubles > 0 {
            return 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a few dozen")]
        let whole = self.window as usize;
        whole
    }

    /// When the pause ends, if there is one at `now`.
    pub fn resumes_at(&self, now: Instant) -> Option<Instant> {
        self.resume_at.filter(|&at| now < at)
    }

    /// Whether trouble was met, and no good answer since.
    pub fn is_troubled(&self) -> bool {
        self.troubles > 0
    }

    /// A call that began at `begun` had a good answer.
    pub fn went_well(&mut self, begun: Instant) {
        // An answer that was on its way when trouble began does not end it.
        if self.felt_at.is_some_and(|felt| begun < felt) {
            return;
        }
        (self.troubles, self.resume_at) = (0, None);
        let step = if self.window < self.threshold { 1.0 } else { 1.0 / self.window };
        self.window = (self.window + step).min(f64::from(self.limits.most));
    }

    /// A call that began at `begun` met trouble, which was known at `now`; `chance` is uniform in 0..1. Calls that were
    /// in progress together meet the same trouble, which counts once.
    pub fn met_trouble(&mut self, begun: Instant, now: Instant, chance: f64) {
        if self.felt_at.is_some_and(|felt| begun < felt) {
            return;
        }
        let doublings = self.troubles.min(16);
        let pause = self.limits.pause.saturating_mul(1 << doublings).min(self.limits.longest_pause);
        self.resume_at = Some(now + pause.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0));
        self.felt_at = Some(now);
        self.troubles = self.troubles.saturating_add(1);
        self.window = (self.window / 2.0).max(1.0);
        self.threshold = self.window;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: PaceLimits = PaceLimits {
        first: 4,
        most: 16,
        pause: Duration::from_millis(500),
        longest_pause: Duration::from_secs(10),
    };

    #[test]
    fn good_answers_widen_and_trouble_halves_once_for_calls_of_one_time() {
        let start = Instant::now();
        let mut pace = Pace::new(LIMITS);
        for _ in 0..100 {
            pace.went_well(start);
        }
        assert_eq!(pace.slots(start), 16);
        for _ in 0..16 {
            pace.met_trouble(start, start + Duration::from_millis(50), 1.0);
        }
        assert_eq!(pace.slots(start + Duration::from_millis(60)), 0, "a pause");
        let after = start + Duration::from_millis(551);
        assert_eq!(pace.slots(after), 1, "one call tries");
        pace.went_well(start);
        assert_eq!(pace.slots(after), 1, "an answer to an older call says nothing");
        pace.went_well(after);
        assert_eq!(pace.slots(after), 8, "beyond half of what was too much it grows slowly");
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut now = Instant::now();
        let mut pace = Pace::new(LIMITS);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pace.met_trouble(now, now, 1.0);
            let resumes = pace.resumes_at(now).unwrap();
            pauses.push((resumes - now).as_millis());
            now = resumes;
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    }

    proptest! {
        #[test]
        fn there_is_always_a_way_on(story in proptest::collection::vec((any::<bool>(), 0u64..20_000, 0.0..1.0f64), 0..100)) {
            let mut now = Instant::now();
            let mut pace = Pace::new(LIMITS);
            for (well, wait, chance) in story {
                let begun = now;
                now += Duration::from_millis(wait);
                if well { pace.went_well(begun) } else { pace.met_trouble(begun, now, chance) }
                prop_assert!(pace.slots(now) <= 16);
                prop_assert!(pace.slots(now + LIMITS.longest_pause) >= 1);
            }
        }
    }
}

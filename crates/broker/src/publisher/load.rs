//! How much may be under way: about what the broker confirms in a tenth of the time limit.
//!
//! Callers beyond that would wait, longer and longer, until in the end each is refused at its time limit with its message
//! half on its way: much work, and nobody served. So the time between admission and confirm is watched. Where everything
//! waits longer than the target, only as much is admitted from then on as the broker has just shown to confirm within it;
//! where nothing waits half as long, twice as much, up to a ceiling. A short pause of the broker is no overload: confirms
//! before and after it are quick.

use std::time::Duration;

use tokio::time::Instant;

/// The target, as a part of the time limit.
const TARGET: u32 = 10;
/// How long confirms are watched before anything is concluded, as a part of the target.
const WATCH: u32 = 4;
/// After this part of the time limit without any confirm, callers are refused.
const SILENCE: u32 = 2;
/// The time limit by which the others go at least, however short the real one is.
const SHORTEST: Duration = Duration::from_millis(500);
/// So many publishes may be under way, however slow the broker is.
const LEAST: usize = 64;
/// Above so many bytes under way nothing more is admitted; what is admitted last may go beyond it.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// What is under way, and how long it takes. Time is an argument.
#[derive(Debug)]
pub(super) struct Load {
    count: usize,
    bytes: usize,
    limit: usize,
    ceiling: usize,
    target: Duration,
    silence: Duration,
    /// When the broker last answered, or what is under way began.
    stirred: Instant,
    /// When somebody was last let through to a silent broker.
    probed: Option<Instant>,
    watch: Option<Watch>,
}

/// What is watched, from a first confirm on: the time before it may have been a pause, which says nothing of the load.
#[derive(Debug)]
struct Watch {
    began: Instant,
    /// Confirms after the first.
    confirms: u128,
    quickest: Duration,
    slowest: Duration,
}

impl Load {
    pub(super) fn new(ceiling: usize, time_limit: Duration, now: Instant) -> Self {
        let time_limit = time_limit.max(SHORTEST);
        Self {
            count: 0,
            bytes: 0,
            limit: ceiling,
            ceiling,
            target: time_limit / TARGET,
            silence: time_limit / SILENCE,
            stirred: now,
            probed: None,
            watch: None,
        }
    }

    /// Admits `count` publishes with `bytes` in all, or none of them. A batch that finds any room is admitted as a whole: a
    /// large one would else find none for as long as the broker is slow.
    pub(super) fn admit(&mut self, count: usize, bytes: usize, now: Instant) -> bool {
        if self.count >= self.limit || self.bytes >= MOST_BYTES || self.turns_away(now) {
            return false;
        }
        if self.count == 0 {
            self.stirred = now;
        }
        self.count += count;
        self.bytes += bytes;
        true
    }

    /// Whether the broker has been silent for so long that waiting for it is in vain. What is under way will tell when it
    /// is back; should that be lost, somebody who is let through now and then does.
    fn turns_away(&mut self, now: Instant) -> bool {
        let silent = self.count > 0 && now.saturating_duration_since(self.stirred) > self.silence;
        let recently =
            |probed: Instant| probed > self.stirred && now.saturating_duration_since(probed) < self.target;
        if silent && self.probed.is_some_and(recently) {
            return true;
        }
        if silent {
            self.probed = Some(now);
        }
        false
    }

    /// Notes that a publish with `bytes` is over; `waited` is how long the broker took for its answer, if there is one.
    pub(super) fn over(&mut self, bytes: usize, waited: Option<Duration>, now: Instant) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(waited) = waited {
            self.stirred = now;
            self.look(waited, now);
        }
    }

    /// Looks at a confirm, and when this has gone on for long enough sets the limit by what was seen.
    fn look(&mut self, waited: Duration, now: Instant) {
        let Some(watch) = &mut self.watch else {
            self.watch = Some(Watch { began: now, confirms: 0, quickest: waited, slowest: waited });
            return;
        };
        watch.confirms += 1;
        watch.quickest = watch.quickest.min(waited);
        watch.slowest = watch.slowest.max(waited);
        let watched = now.saturating_duration_since(watch.began);
        if watched < self.target / WATCH {
            return;
        }
        if watch.quickest > self.target {
            let in_target = self.target.as_millis() * watch.confirms / watched.as_millis().max(1);
            let in_target = usize::try_from(in_target).unwrap_or(usize::MAX);
            self.limit = in_target.max(LEAST).min(self.ceiling);
        } else if watch.slowest < self.target / 2 {
            self.limit = self.limit.saturating_mul(2).min(self.ceiling);
        }
        self.watch = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const CEILING: usize = 8192;
    const STEP: Duration = Duration::from_millis(5);

    /// A broker that confirms in order, so many a second, and callers who come at an even pace.
    struct World {
        load: Load,
        start: Instant,
        now: Instant,
        waiting: VecDeque<Instant>,
        /// What callers and broker have done, in thousandths of a message.
        due: (u64, u64),
        refused: usize,
        waits: Vec<Duration>,
    }

    impl World {
        fn new() -> Self {
            let now = Instant::now();
            let load = Load::new(CEILING, LIMIT, now);
            Self {
                load,
                start: now,
                now,
                waiting: VecDeque::new(),
                due: (0, 0),
                refused: 0,
                waits: Vec::new(),
            }
        }

        /// Lets time pass; answers how many were confirmed, each within which time.
        fn run(&mut self, time: Duration, callers: u64, confirms: u64) {
            let end = self.now + time;
            while self.now < end {
                self.now += STEP;
                self.due.0 += callers * 5;
                self.due.1 += confirms * 5;
                while self.due.0 >= 1000 {
                    self.due.0 -= 1000;
                    if self.load.admit(1, 1000, self.now) {
                        self.waiting.push_back(self.now);
                    } else {
                        self.refused += 1;
                    }
                }
                while self.due.1 >= 1000 {
                    self.due.1 -= 1000;
                    let Some(since) = self.waiting.pop_front() else { continue };
                    let waited = self.now - since;
                    self.load.over(1000, Some(waited), self.now);
                    self.waits.push(waited);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_admitted_is_confirmed_in_time_and_the_broker_has_enough_to_do(
            confirms in 100u64..5_000, times in 2u64..6
        ) {
            let mut world = World::new();
            world.run(Duration::from_secs(20), confirms * times, confirms);
            let slowest = world.waits.iter().max().copied().unwrap();
            prop_assert!(slowest < LIMIT, "{slowest:?}");
            let whole = usize::try_from(confirms).unwrap() * 20;
            prop_assert!(world.waits.len() > whole * 9 / 10, "{} of {whole}", world.waits.len());
            // Once it has found its measure.
            let late = world.waits.split_off(whole / 2);
            let slowest = late.iter().max().copied().unwrap();
            prop_assert!(slowest < LIMIT / 4, "{slowest:?}");
        }

        #[test]
        fn who_is_no_more_than_the_broker_confirms_is_never_refused(confirms in 50u64..5_000, share in 1u64..95) {
            let mut world = World::new();
            world.run(Duration::from_secs(10), confirms * share / 100, confirms);
            prop_assert_eq!(world.refused, 0);
        }

        #[test]
        fn a_pause_is_no_overload(callers in 1u64..2_000, pause in 0u64..1_000) {
            let mut world = World::new();
            world.run(Duration::from_secs(2), callers, 10_000);
            world.run(Duration::from_millis(pause), callers, 0);
            world.run(Duration::from_secs(2), callers, 10_000);
            prop_assert_eq!(world.refused, 0);
        }
    }

    #[test]
    fn when_the_overload_is_over_all_is_as_before() {
        let mut world = World::new();
        world.run(Duration::from_secs(10), 2_000, 200);
        assert!(world.load.limit < 300, "{}", world.load.limit);
        world.run(Duration::from_secs(4), 2_000, 10_000);
        assert_eq!(world.load.limit, CEILING);
        let refused = world.refused;
        world.run(Duration::from_secs(1), 2_000, 10_000);
        assert_eq!(world.refused, refused);
    }

    #[test]
    fn a_silent_broker_is_asked_now_and_then() {
        let mut world = World::new();
        world.run(Duration::from_secs(1), 100, 1_000);
        world.run(Duration::from_secs(10), 100, 0);
        let admitted = world.waiting.len();
        // For half of the time limit all are let through, and then one in each tenth of it.
        assert!((250..=270).contains(&admitted), "{admitted}");
        // What was under way is lost with its connection, and nothing tells of it but who is let through.
        world.waiting.clear();
        world.run(Duration::from_secs(1), 100, 1_000);
        let refused = world.refused;
        world.run(Duration::from_secs(1), 100, 1_000);
        assert_eq!(world.refused, refused);
        assert!(world.now > world.start);
    }

    #[test]
    fn memory_is_bounded_and_a_batch_goes_as_a_whole() {
        let now = Instant::now();
        let mut load = Load::new(CEILING, LIMIT, now);
        assert!(load.admit(1, MOST_BYTES, now) && !load.admit(1, 1, now));
        load.over(MOST_BYTES, None, now);
        load.limit = LEAST;
        assert!(load.admit(LEAST - 1, 1, now) && load.admit(500, 1, now), "any room will do");
        assert!(!load.admit(1, 1, now));
    }
}

//! Admission before brokers of several kinds, with callers who come at an even pace.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const CEILING: usize = 8192;
const STEP: Duration = Duration::from_millis(5);

fn one(bytes: usize) -> Wanted {
    Wanted::default().and(Queue::Sends, bytes)
}

fn several(count: usize) -> Wanted {
    (0..count).fold(Wanted::default(), |wanted, _| wanted.and(Queue::Sends, 1))
}

/// A broker that takes messages in order, so many a second, and confirms each some time after it took it.
struct World {
    load: Load,
    start: Instant,
    now: Instant,
    latency: Duration,
    /// When they were admitted.
    waiting: VecDeque<Instant>,
    /// When they were admitted, and when they will be confirmed.
    taken: VecDeque<(Instant, Instant)>,
    /// What callers and broker have done, in thousandths of a message.
    due: (u64, u64),
    refused: usize,
    waits: Vec<Duration>,
}

impl World {
    fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            load: Load::new(CEILING, limit, now),
            start: now,
            now,
            latency: Duration::ZERO,
            waiting: VecDeque::new(),
            taken: VecDeque::new(),
            due: (0, 0),
            refused: 0,
            waits: Vec::new(),
        }
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration, callers: u64, confirms: u64) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.due.0 += callers * 5;
            self.due.1 += confirms * 5;
            while self.due.0 >= 1000 {
                self.due.0 -= 1000;
                if self.load.admit(one(1000), self.now).is_ok() {
                    self.waiting.push_back(self.now);
                } else {
                    self.refused += 1;
                }
            }
            while self.due.1 >= 1000 {
                self.due.1 -= 1000;
                let Some(since) = self.waiting.pop_front() else { continue };
                self.taken.push_back((since, self.now + self.latency));
            }
            while let Some((since, _)) = self.taken.pop_front_if(|(_, confirmed)| *confirmed <= self.now) {
                let waited = self.now - since;
                self.load.over(Queue::Sends, 1000, Some(waited), self.now);
                self.waits.push(waited);
            }
        }
    }

    /// The longest wait since this was last asked.
    fn slowest(&mut self) -> Duration {
        self.waits.drain(..).max().unwrap_or_default()
    }

    /// How many more are refused in this time.
    fn refused_in(&mut self, time: Duration, callers: u64, confirms: u64) -> usize {
        let before = self.refused;
        self.run(time, callers, confirms);
        self.refused - before
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_admitted_is_confirmed_in_time_and_the_broker_has_enough_to_do(
        confirms in 100u64..5_000, times in 2u64..6
    ) {
        let mut world = World::new(LIMIT);
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
    fn who_is_no_more_than_the_broker_confirms_is_never_refused(
        confirms in 50u64..3_000, share in 1u64..95, latency in 0u32..50, limit in 1u32..6
    ) {
        let limit = Duration::from_secs(1) * limit;
        let mut world = World::new(limit);
        world.latency = limit * latency / 100;
        world.run(Duration::from_secs(20), confirms * share / 100, confirms);
        prop_assert_eq!(world.refused, 0);
    }

    #[test]
    fn a_latency_that_changes_costs_some_only_once(
        callers in 20u64..2_000, before in 0u32..45, after in 0u32..45
    ) {
        let mut world = World::new(LIMIT);
        world.latency = LIMIT * before / 100;
        world.run(Duration::from_secs(10), callers, 10_000);
        world.latency = LIMIT * after / 100;
        world.run(LIMIT * 3, callers, 10_000);
        prop_assert_eq!(world.refused_in(Duration::from_mins(1), callers, 10_000), 0);
    }

    #[test]
    fn however_long_the_overload_the_wait_stays_bounded_and_the_latency_does_not_matter(
        confirms in 100u64..1_000, latency in 0u32..40
    ) {
        let mut world = World::new(LIMIT);
        world.latency = LIMIT * latency / 100;
        world.run(Duration::from_secs(20), confirms * 4, confirms);
        world.waits.clear();
        world.run(Duration::from_mins(1), confirms * 4, confirms);
        let whole = usize::try_from(confirms).unwrap() * 60;
        prop_assert!(world.waits.len() > whole * 8 / 10, "{} of {whole}", world.waits.len());
        let slowest = world.slowest();
        prop_assert!(slowest <= LIMIT / 2 + world.load.target, "{slowest:?}");
        world.run(Duration::from_secs(30), confirms / 2, confirms);
        prop_assert_eq!(world.refused_in(Duration::from_secs(30), confirms / 2, confirms), 0);
    }

    #[test]
    fn a_pause_is_no_overload(callers in 1u64..2_000, pause in 0u64..1_000) {
        let mut world = World::new(LIMIT);
        world.run(Duration::from_secs(2), callers, 10_000);
        world.run(Duration::from_millis(pause), callers, 0);
        world.run(Duration::from_secs(2), callers, 10_000);
        prop_assert_eq!(world.refused, 0);
    }
}

#[test]
fn when_the_overload_is_over_all_is_as_before() {
    let mut world = World::new(LIMIT);
    world.run(Duration::from_secs(10), 2_000, 200);
    assert!(world.load.limit < 300, "{}", world.load.limit);
    world.run(Duration::from_secs(4), 2_000, 10_000);
    assert_eq!(world.load.limit, CEILING);
    assert_eq!(world.refused_in(Duration::from_secs(1), 2_000, 10_000), 0);
}

#[test]
fn a_silent_broker_is_asked_now_and_then() {
    let mut world = World::new(LIMIT);
    world.run(Duration::from_secs(1), 100, 1_000);
    world.run(Duration::from_secs(10), 100, 0);
    let admitted = world.waiting.len();
    // For half of the time limit all are let through, and then one in each tenth of it.
    assert!((250..=270).contains(&admitted), "{admitted}");
    assert_eq!(
        world.load.admit(one(1), world.now),
        Err(PublishError::Silent),
        "not as if there were too many"
    );
    // What was under way is lost with its connection, and nothing tells of it but who is let through.
    world.waiting.clear();
    world.run(Duration::from_secs(1), 100, 1_000);
    assert_eq!(world.refused_in(Duration::from_secs(1), 100, 1_000), 0);
    assert!(world.now > world.start);
}

#[test]
fn a_silent_queue_says_nothing_of_another() {
    let mut world = World::new(LIMIT);
    for _ in 0..10 {
        assert_eq!(world.load.admit(Wanted::default().and(Queue::Events, 1), world.now), Ok(()));
    }
    world.run(LIMIT, 0, 0);
    let event = Wanted::default().and(Queue::Events, 1);
    assert_eq!(world.load.admit(event, world.now), Ok(()), "somebody goes and looks");
    assert_eq!(world.load.admit(event, world.now), Err(PublishError::Silent));
    assert_eq!(world.load.admit(several(10).and(Queue::Events, 1), world.now), Err(PublishError::Silent));
    for _ in 0..10 {
        assert_eq!(world.load.admit(one(1), world.now), Ok(()));
    }
}

#[test]
fn silence_is_told_also_where_it_has_filled_all_room() {
    let mut world = World::new(LIMIT);
    assert_eq!(world.load.admit(several(CEILING), world.now), Ok(()));
    assert_eq!(world.load.admit(one(1), world.now), Err(PublishError::Busy));
    world.run(LIMIT, 0, 0);
    assert_eq!(world.load.admit(one(1), world.now), Err(PublishError::Silent));
}

#[test]
fn memory_is_bounded_and_a_batch_goes_as_a_whole() {
    let now = Instant::now();
    let mut load = Load::new(CEILING, LIMIT, now);
    assert_eq!(load.admit(one(MOST_BYTES), now), Ok(()));
    assert_eq!(load.admit(one(1), now), Err(PublishError::Busy));
    load.over(Queue::Sends, MOST_BYTES, None, now);
    load.limit = LEAST;
    assert_eq!(load.admit(several(LEAST - 1), now), Ok(()));
    assert_eq!(load.admit(several(500), now), Ok(()), "any room will do");
    assert_eq!(load.admit(one(1), now), Err(PublishError::Busy));
}

//! How much may be under way: about what the broker confirms in a tenth of the time limit.
//!
//! Callers beyond that would wait, longer and longer, until in the end each is refused at its time limit with its message
//! half on its way: much work, and nobody served. So the time between admission and confirm is watched. Where everything
//! waits longer than the target beyond what the broker takes anyway, callers queue, and only as much is admitted from then
//! on as the broker has just shown to confirm in time; where nothing waits half as long, twice as much, up to a ceiling. A
//! short pause of the broker is no overload: confirms before and after it are quick.
//!
//! What the broker takes anyway is its latency, which a slow disk makes long without making the broker take less. A wait
//! alone does not tell the two apart. So where the wait has become long, very little is let in for a moment: a queue grows
//! shorter by that, and latency stays what it was.

mod silence;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::silence::Silence;
use crate::{PublishError, Queue};

/// The target, as a part of the time limit.
const TARGET: u32 = 10;
/// How long confirms are watched before anything is concluded, as a part of the target.
const WATCH: u32 = 4;
/// After this part of the time limit without any confirm of a queue, its callers are refused. No latency counts as such
/// beyond it, so that nobody waits much longer than that for as long as the broker goes on.
const SILENCE: u32 = 2;
/// The part of what would be let in that is let in to find out the latency.
const LITTLE: usize = 4;
/// The time limit by which the others go at least, however short the real one is.
const SHORTEST: Duration = Duration::from_millis(500);
/// So many publishes may be under way, however slow the broker is.
const LEAST: usize = 64;
/// Above so many bytes under way nothing more is admitted; what is admitted last may go beyond it.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// What asks to be admitted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// Publishes, by queue.
    counts: [usize; Queue::COUNT],
    bytes: usize,
}

impl Wanted {
    /// The same with one more publish.
    pub(super) fn and(mut self, queue: Queue, bytes: usize) -> Self {
        self.counts[queue as usize] += 1;
        self.bytes += bytes;
        self
    }

    /// Those of the queues for which there is something, with how much it is.
    fn of<'a>(&self, queues: &'a mut [Silence]) -> impl Iterator<Item = (&'a mut Silence, usize)> + use<'a> {
        queues.iter_mut().zip(self.counts).filter(|(_, count)| *count > 0)
    }
}

/// What is under way, and how long it takes. Time is an argument.
#[derive(Debug)]
pub(super) struct Load {
    count: usize,
    bytes: usize,
    limit: usize,
    ceiling: usize,
    target: Duration,
    silence: Duration,
    queues: [Silence; Queue::COUNT],
    /// What the broker takes for a confirm when nobody queues, as far as that is known.
    latency: Option<Duration>,
    /// When the limit was set. What was admitted before says nothing of it.
    set: Instant,
    /// What the broker confirmed, while little is let in to find out its latency.
    finding: Option<Pace>,
    watch: Option<Watch>,
}

/// So many confirms in that time.
#[derive(Debug, Clone, Copy)]
struct Pace(u128, Duration);

impl Pace {
    /// How many there are in this time.
    fn within(self, time: Duration) -> usize {
        let confirms = time.as_millis() * self.0 / self.1.as_millis().max(1);
        usize::try_from(confirms).unwrap_or(usize::MAX)
    }
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
            queues: std::array::from_fn(|_| Silence::new(now)),
            latency: None,
            set: now,
            finding: None,
            watch: None,
        }
    }

    /// Admits all that is wanted, or nothing of it. A batch that finds any room is admitted as a whole: a large one would
    /// else find none for as long as the broker is slow.
    pub(super) fn admit(&mut self, wanted: Wanted, now: Instant) -> Result<(), PublishError> {
        let is_room = self.count < self.limit && self.bytes < MOST_BYTES;
        let (silence, target) = (self.silence, self.target);
        // Of a silent queue that has filled all room, silence is the reason that tells more.
        let may = |queue: &mut Silence| !queue.is_longer(silence, now) || is_room && queue.probe(target, now);
        if !wanted.of(&mut self.queues).all(|(queue, _)| may(queue)) {
            return Err(PublishError::Silent);
        }
        if !is_room {
            return Err(PublishError::Busy);
        }
        for (queue, count) in wanted.of(&mut self.queues) {
            queue.begin(count, now);
            self.count += count;
        }
        self.bytes += wanted.bytes;
        Ok(())
    }

    /// Notes that a publish with `bytes` is over; `waited` is how long the broker took for its answer, if there is one.
    pub(super) fn over(&mut self, queue: Queue, bytes: usize, waited: Option<Duration>, now: Instant) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.queues[queue as usize].over(waited.is_some(), now);
        if let Some(waited) = waited
            && waited <= now.saturating_duration_since(self.set)
        {
            self.look(waited, now);
        }
    }

    /// Looks at a confirm, and when this has gone on for long enough draws the conclusion.
    fn look(&mut self, waited: Duration, now: Instant) {
        let Some(watch) = &mut self.watch else {
            self.watch = Some(Watch { began: now, confirms: 0, quickest: waited, slowest: waited });
            return;
        };
        watch.confirms += 1;
        watch.quickest = watch.quickest.min(waited);
        watch.slowest = watch.slowest.max(waited);
        let watched = now.saturating_duration_since(watch.began);
        if watched >= self.target / WATCH {
            let (pace, quickest, slowest) = (Pace(watch.confirms, watched), watch.quickest, watch.slowest);
            self.watch = None;
            self.conclude(pace, quickest, slowest, now);
        }
    }

    /// Sets the limit by what was seen.
    fn conclude(&mut self, pace: Pace, quickest: Duration, slowest: Duration, now: Instant) {
        let found = self.finding.take();
        let known = if found.is_some() { None } else { self.latency };
        // A batch can make a wait long also where little is let in, and what is taken for latency is waited for: so there
        // is a bound.
        let latency = known.unwrap_or(quickest).min(quickest).min(self.silence.saturating_sub(self.target));
        self.latency = Some(latency);
        let in_time = latency + self.target;
        if let Some(before) = found {
            self.set(before.within(in_time), now);
            // The first that are let in find less before them than those that follow.
            self.set += in_time * 2;
        } else if quickest > in_time + self.target / WATCH {
            self.finding = Some(pace);
            self.set(pace.within(in_time) / LITTLE, now);
        } else if slowest < latency + self.target / 2 && self.limit < self.ceiling {
            self.set(self.limit.saturating_mul(2), now);
        }
    }

    fn set(&mut self, limit: usize, now: Instant) {
        self.limit = limit.max(LEAST).min(self.ceiling);
        self.set = now;
    }
}

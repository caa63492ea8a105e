//! How much of the spool is published at a time, from where on, and when again after a failure; pure.

use std::time::Duration;

/// Most entries in flight.
const MOST: usize = 512;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often an entry fails alone before the one behind it is tried.
const PATIENCE: u32 = 4;

/// Goes through the log from the oldest entry to the newest.
///
/// After a failure it begins again with the oldest, with half as many, so that an entry which is refused for a reason of
/// its own is alone in the end. The one behind it is tried only then; should that succeed, the first is at fault, and is
/// overtaken until the end of the log is reached. A broker that recovers in that very moment has one entry overtaken for
/// nothing, which is the price of none holding up all others for ever.
#[derive(Debug)]
pub(super) struct Pace {
    window: usize,
    /// The number behind which it goes on.
    after: u64,
    alone: u32,
    pause: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { window: MOST, after: 0, alone: 0, pause: FIRST_PAUSE }
    }

    /// From where on, and how many.
    pub(super) fn next(&self) -> (u64, usize) {
        (self.after, self.window)
    }

    /// All up to this number are confirmed.
    pub(super) fn good(&mut self, last: u64) {
        *self = Self { window: (self.window * 2).min(MOST), after: last, ..Self::new() };
    }

    /// The end of the log was reached.
    pub(super) fn end(&mut self) {
        self.after = 0;
    }

    /// One of the entries was not confirmed, this being the first of those; answers how long to wait. A broker that was
    /// plainly away proves nothing against an entry.
    pub(super) fn bad(&mut self, first: u64, broker_was_there: bool) -> Duration {
        let was_alone = self.window == 1;
        self.window = (self.window / 2).max(1);
        self.after = 0;
        if was_alone && broker_was_there {
            self.alone += 1;
            if self.alone.is_multiple_of(PATIENCE) {
                self.after = first;
            }
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes a log of ten, of which `broken` is never taken; answers the order in which the others were.
    fn drained(broken: u64, is_up: impl Fn(u32) -> bool) -> Vec<u64> {
        let (mut pace, mut log, mut order) = (Pace::new(), (1..=10).collect::<Vec<u64>>(), Vec::new());
        for turn in 0..60 {
            let (after, most) = pace.next();
            let read: Vec<u64> = log.iter().copied().filter(|&one| one > after).take(most).collect();
            let Some(&last) = read.last() else {
                pace.end();
                continue;
            };
            // A connection that breaks takes what stands behind with it.
            let fails = |one: u64| one == broken || !is_up(turn);
            let confirmed: Vec<u64> = read.iter().copied().take_while(|&one| !fails(one)).collect();
            log.retain(|one| !confirmed.contains(one));
            order.extend(&confirmed);
            match read.get(confirmed.len()) {
                None => pace.good(last),
                Some(&first) => drop(pace.bad(first, true)),
            }
        }
        order
    }

    #[test]
    fn order_is_kept_through_an_outage() {
        let whole: Vec<u64> = (1..=10).collect();
        // Nine halvings, and then three failures alone.
        for length in 0..=12 {
            assert_eq!(drained(0, |turn| turn >= length), whole, "{length}");
        }
    }

    #[test]
    fn what_is_refused_alone_holds_nobody_up() {
        for broken in 1..=10 {
            let expected: Vec<u64> = (1..=10).filter(|&one| one != broken).collect();
            assert_eq!(drained(broken, |_| true), expected, "{broken}");
        }
    }

    #[test]
    fn a_broker_that_is_away_proves_nothing() {
        let mut pace = Pace::new();
        let pauses: Vec<Duration> = (0..50).map(|_| pace.bad(1, false)).collect();
        assert_eq!(pace.next(), (0, 1));
        assert!(pauses.is_sorted() && pauses.last() == Some(&LONGEST_PAUSE), "{pauses:?}");
    }
}

//! How much of the spool is published at a time, from where on, and when again after a failure; pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most entries in flight.
const MOST: usize = 512;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often an entry fails alone before what is behind it is tried.
const PATIENCE: u32 = 4;

/// Goes through the log from the oldest entry to the newest.
///
/// After a failure it goes on with half as many, so that an entry which is refused for a reason of its own is alone in the
/// end. Once that has failed often enough it is stepped over, and so is each one behind it that fares the same, until the
/// end of the log is reached and all of them are tried again.
///
/// A broker in trouble looks just like that. So the first success behind such entries leads back to them: if the broker
/// recovered they go out now, in their order, with one entry before them that belonged behind. Whichever fails even now is
/// at fault itself and holds nobody up any more, for one failure is then enough.
#[derive(Debug)]
pub(super) struct Pace {
    window: usize,
    /// The number behind which it goes on.
    after: u64,
    /// How often which entry failed alone.
    failed: BTreeMap<u64, u32>,
    /// The oldest entry that was stepped over while nothing showed that the broker takes others.
    doubtful: Option<u64>,
    pause: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { window: MOST, after: 0, failed: BTreeMap::new(), doubtful: None, pause: FIRST_PAUSE }
    }

    /// From where on, and how many.
    pub(super) fn next(&self) -> (u64, usize) {
        (self.after, self.window)
    }

    /// All up to this number are confirmed.
    pub(super) fn good(&mut self, last: u64) {
        self.failed.retain(|&number, _| number <= self.after || number > last);
        self.after = self.doubtful.take().map_or(last, |first| first.saturating_sub(1));
        self.window = (self.window * 2).min(MOST);
        self.pause = FIRST_PAUSE;
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
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        if was_alone && broker_was_there {
            let failures = self.failed.entry(first).or_default();
            *failures = failures.saturating_add(1);
            if *failures == PATIENCE {
                self.doubtful = Some(self.doubtful.map_or(first, |oldest| oldest.min(first)));
            }
            if *failures >= PATIENCE {
                self.after = first;
                self.pause = FIRST_PAUSE;
            }
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes a log of ten, of which those that are `broken` are never taken; answers the order in which the others
    /// were.
    fn drained(broken: &[u64], is_up: impl Fn(u32) -> bool) -> Vec<u64> {
        let (mut pace, mut log, mut order) = (Pace::new(), (1..=10).collect::<Vec<u64>>(), Vec::new());
        for turn in 0..200 {
            let (after, most) = pace.next();
            let read: Vec<u64> = log.iter().copied().filter(|&one| one > after).take(most).collect();
            let Some(&last) = read.last() else {
                pace.end();
                continue;
            };
            // A connection that breaks takes what stands behind with it.
            let fails = |one: u64| broken.contains(&one) || !is_up(turn);
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
            assert_eq!(drained(&[], |turn| turn >= length), whole, "{length}");
        }
    }

    #[test]
    fn after_a_long_outage_one_entry_at_most_has_overtaken() {
        for length in 13..=120 {
            let order = drained(&[], |turn| turn >= length);
            let mut others = order[1..].to_vec();
            assert_eq!(order.len(), 10, "{length}: {order:?}");
            assert!(others.is_sorted(), "{length}: {order:?}");
            others.push(order[0]);
            others.sort_unstable();
            assert_eq!(others, (1..=10).collect::<Vec<u64>>(), "{length}");
        }
    }

    #[test]
    fn whatever_is_refused_holds_nobody_up() {
        for subset in 0..1 << 10 {
            let (broken, others): (Vec<u64>, Vec<u64>) =
                (1..=10).partition(|one| subset >> (one - 1) & 1 == 1);
            assert_eq!(drained(&broken, |_| true), others, "without {broken:?}");
        }
    }

    #[test]
    fn a_broker_that_comes_back_finds_all_but_the_refused() {
        for subset in 0..1 << 10 {
            let (broken, others): (Vec<u64>, Vec<u64>) =
                (1..=10).partition(|one| subset >> (one - 1) & 1 == 1);
            let mut order = drained(&broken, |turn| turn > subset % 37 && turn % 11 != 3);
            order.sort_unstable();
            assert_eq!(order, others, "without {broken:?}");
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

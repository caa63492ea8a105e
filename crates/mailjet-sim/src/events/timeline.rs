//! What is going to happen, in the order of time. At most [`MOST_PLANNED`] things; more are dropped and counted.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    sync::Mutex,
};

use tokio::{sync::Notify, time::Instant};

use crate::util::lock;

/// Things that may be planned at one time.
const MOST_PLANNED: usize = 1_000_000;

/// A queue by due time; what is due at the same time keeps the order in which it was planned.
#[derive(Debug)]
pub(crate) struct Timeline<T> {
    heap: Mutex<Heap<T>>,
    earlier: Notify,
}

#[derive(Debug)]
struct Heap<T> {
    entries: BinaryHeap<Reverse<Entry<T>>>,
    last: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: Instant,
    order: u64,
    thing: T,
}

impl<T> Timeline<T> {
    pub(crate) fn new() -> Self {
        Self { heap: Mutex::new(Heap { entries: BinaryHeap::new(), last: 0 }), earlier: Notify::new() }
    }

    /// Plans things; `false` if there was no room for all of them.
    pub(crate) fn plan(&self, things: impl IntoIterator<Item = (Instant, T)>) -> bool {
        let mut heap = lock(&self.heap);
        let first = heap.entries.peek().map(|Reverse(entry)| entry.due);
        for (due, thing) in things {
            if heap.entries.len() >= MOST_PLANNED {
                return false;
            }
            heap.last += 1;
            let order = heap.last;
            heap.entries.push(Reverse(Entry { due, order, thing }));
        }
        if first.is_none() || heap.entries.peek().map(|Reverse(entry)| entry.due) < first {
            self.earlier.notify_one();
        }
        true
    }

    /// Waits until something is due and takes it, with everything else that is.
    pub(crate) async fn due(&self) -> Vec<T> {
        loop {
            let (due, next) = self.take_due(Instant::now());
            if !due.is_empty() {
                return due;
            }
            match next {
                None => self.earlier.notified().await,
                Some(next) => tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }

    fn take_due(&self, now: Instant) -> (Vec<T>, Option<Instant>) {
        let mut heap = lock(&self.heap);
        let mut due = Vec::new();
        while heap.entries.peek().is_some_and(|Reverse(entry)| entry.due <= now) {
            due.extend(heap.entries.pop().map(|Reverse(entry)| entry.thing));
        }
        (due, heap.entries.peek().map(|Reverse(entry)| entry.due))
    }

    /// How many things are planned.
    pub(crate) fn len(&self) -> usize {
        lock(&self.heap).entries.len()
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn things_come_in_the_order_of_time() {
        let timeline = Timeline::new();
        let now = Instant::now();
        assert!(timeline.plan([(now + Duration::from_millis(20), "late"), (now, "a"), (now, "b")]));
        assert_eq!(timeline.due().await, ["a", "b"]);
        assert_eq!(timeline.len(), 1);
        assert_eq!(timeline.due().await, ["late"]);
        assert!(now.elapsed() >= Duration::from_millis(20));
    }
}

//! Counters of one run.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter; it only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Counts one more and says which one it is, from 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Keeps the largest value seen.
    pub(crate) fn at_least(&self, n: usize) {
        self.0.fetch_max(n as u64, Ordering::Relaxed);
    }

    /// The count so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many are in a place at one time, and how many were at most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    inside: AtomicU64,
    most: Counter,
}

impl Gauge {
    /// Goes in, until the answer is dropped.
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.most.0.fetch_max(self.inside.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Inside(self)
    }

    /// How many are inside now.
    pub(crate) fn now(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
    }

    /// How many were inside at once, at most.
    pub(crate) fn most(&self) -> u64 {
        self.most.get()
    }
}

/// Somebody who is inside.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gauge);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Calls of the send endpoint that have no answer yet.
    pub(crate) open_calls: Gauge,
    /// Calls of the send endpoint, whatever became of them.
    pub(crate) calls: Counter,
    /// Most recipients of a call that could be read, whatever became of it.
    pub(crate) most_recipients: Counter,
    /// Calls refused as a whole, for their credentials, rate, size or shape, or by a fault.
    pub(crate) refused_calls: Counter,
    /// Messages refused one by one.
    pub(crate) refused_messages: Counter,
    /// Messages accepted for sending.
    pub(crate) accepted_messages: Counter,
    /// Distinct recipients of those.
    pub(crate) accepted_recipients: Counter,
    /// Messages that passed in sandbox mode.
    pub(crate) sandbox_messages: Counter,
    /// Requests that carried events to a callback URL.
    pub(crate) event_attempts: Counter,
    /// Events answered with 200.
    pub(crate) events_delivered: Counter,
    /// Events given up: a full queue, or a callback URL that died without a backup.
    pub(crate) events_dropped: Counter,
    /// Events for which no callback URL was registered.
    pub(crate) events_unrouted: Counter,
}

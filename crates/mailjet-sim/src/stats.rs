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

    /// The count so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Calls of the send endpoint, whatever became of them.
    pub(crate) calls: Counter,
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

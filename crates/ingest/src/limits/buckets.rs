//! A bucket for each of many.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::quota::{Quota, Standing};
use crate::recent::Recent;

/// Buckets that are kept, at least. One that is forgotten is full again, which only who has so many keys or addresses could
/// make use of.
const MOST: usize = 50_000;

/// Buckets of one quota; without a quota everything passes.
pub(super) struct Buckets<K> {
    quota: Option<Quota>,
    full_at: Mutex<Recent<K, Instant>>,
}

/// One bucket, which nobody else can take from meanwhile. What is taken counts once it is kept.
pub(super) struct Bucket<'a, K> {
    quota: Quota,
    buckets: MutexGuard<'a, Recent<K, Instant>>,
    key: K,
    full_at: Instant,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(super) fn new(quota: Option<Quota>) -> Self {
        Self { quota, full_at: Mutex::new(Recent::new(MOST)) }
    }

    /// Opens one bucket.
    pub(super) fn open(&self, key: K, now: Instant) -> Option<Bucket<'_, K>> {
        let quota = self.quota?;
        let buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(&key).copied().unwrap_or(now);
        Some(Bucket { quota, buckets, key, full_at })
    }

    /// Takes a token out of one bucket. `wait` tells whether it was not there.
    pub(super) fn take(&self, key: K, now: Instant) -> Option<Standing> {
        let mut bucket = self.open(key, now)?;
        let standing = bucket.take(1, now);
        bucket.keep();
        Some(standing)
    }

    /// How a bucket would stand that were asked for a token; nothing is taken.
    pub(super) fn look(&self, key: K, now: Instant) -> Option<Standing> {
        Some(self.open(key, now)?.take(1, now))
    }
}

impl<K: Copy + Eq + Hash> Bucket<'_, K> {
    pub(super) fn take(&mut self, tokens: u32, now: Instant) -> Standing {
        self.quota.take(&mut self.full_at, tokens, now)
    }

    pub(super) fn keep(mut self) {
        let full_at = self.full_at;
        *self.buckets.place(self.key, full_at) = full_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own() {
        let (buckets, now) = (Buckets::new(Quota::read("1/s burst 2").unwrap()), Instant::now());
        let take = |key: u8| buckets.take(key, now).unwrap().wait.is_none();
        assert_eq!([take(1), take(1), take(1), take(2)], [true, true, false, true]);
        assert!(buckets.look(1, now).unwrap().wait.is_some());
        assert!((0..9).all(|_| buckets.look(2, now).unwrap().wait.is_none()), "looking takes nothing");
    }

    #[test]
    fn without_a_quota_everything_passes() {
        let (buckets, now) = (Buckets::new(None), Instant::now());
        assert!((0..9).all(|_| buckets.take(1, now).is_none()));
    }
}

//! A bucket for each of many.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
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

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(super) fn new(quota: Option<Quota>) -> Self {
        Self { quota, full_at: Mutex::new(Recent::new(MOST)) }
    }

    /// Takes tokens out of one bucket. `wait` tells whether they were not there.
    pub(super) fn take(&self, key: K, tokens: u32, now: Instant) -> Option<Standing> {
        let quota = self.quota?;
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        Some(quota.take(buckets.place(key, now), tokens, now))
    }

    /// How a bucket would stand that were asked for a token; nothing is taken.
    pub(super) fn look(&self, key: K, now: Instant) -> Option<Standing> {
        let quota = self.quota?;
        let buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut full_at = buckets.get(&key).copied().unwrap_or(now);
        Some(quota.take(&mut full_at, 1, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own() {
        let (buckets, now) = (Buckets::new(Quota::read("1/s burst 2").unwrap()), Instant::now());
        let take = |key: u8| buckets.take(key, 1, now).unwrap().wait.is_none();
        assert_eq!([take(1), take(1), take(1), take(2)], [true, true, false, true]);
        assert!(buckets.look(1, now).unwrap().wait.is_some());
        assert!((0..9).all(|_| buckets.look(2, now).unwrap().wait.is_none()), "looking takes nothing");
    }

    #[test]
    fn without_a_quota_everything_passes() {
        let (buckets, now) = (Buckets::new(None), Instant::now());
        assert!((0..9).all(|_| buckets.take(1, 1000, now).is_none()));
    }
}

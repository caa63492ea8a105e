//! What is known of rows of the database: some that exist, and some that do not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::recent::Recent;

/// Entries of each kind. Only what exists in the database gets in, so this bounds memory, not attacks.
const MOST: usize = 200_000;
/// What is remembered not to exist, at least; strangers make up any number.
const MOST_ABSENT: usize = 20_000;
/// How long that is believed. A change in the database ends it sooner.
const ABSENT_FOR: Duration = Duration::from_secs(3);

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known<V> {
    /// It exists.
    Here(V),
    /// It did not exist a moment ago.
    Absent,
    /// Nothing; what is found out is told with this.
    Nothing(Generation),
}

/// Counts refreshes: what was looked up before one must not be put in after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

pub(super) struct Cache<K, V>(Mutex<Entries<K, V>>);

struct Entries<K, V> {
    map: HashMap<K, V>,
    absent: Recent<K, Instant>,
    generation: Generation,
}

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    pub(super) fn new() -> Self {
        let absent = Recent::new(MOST_ABSENT);
        Self(Mutex::new(Entries { map: HashMap::new(), absent, generation: Generation(0) }))
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: K) -> Known<V> {
        let entries = self.lock();
        if let Some(value) = entries.map.get(&key) {
            return Known::Here(value.clone());
        }
        match entries.absent.get(&key) {
            Some(since) if since.elapsed() < ABSENT_FOR => Known::Absent,
            _ => Known::Nothing(entries.generation),
        }
    }

    /// Notes what the database answered: a value, or that there is none. Answers whether it did: what crossed a refresh
    /// may be old already.
    pub(super) fn put(&self, key: K, value: Option<V>, generation: Generation) -> bool {
        let mut entries = self.lock();
        if entries.generation != generation {
            return false;
        }
        let Some(value) = value else {
            let now = Instant::now();
            *entries.absent.place(key, now) = now;
            return true;
        };
        if entries.map.len() >= MOST {
            entries.map.clear();
        }
        entries.map.insert(key, value);
        true
    }

    /// Begins a refresh: what has to be read again. What did not exist may exist now.
    pub(super) fn stale(&self) -> Vec<K> {
        let mut entries = self.lock();
        entries.generation.0 += 1;
        entries.absent.clear();
        entries.map.keys().copied().collect()
    }

    /// Puts what was found in the place of what was known. What is gone is known to be, so that a revocation is answered
    /// without the database.
    pub(super) fn replace(&self, asked: &[K], found: HashMap<K, V>) {
        let (mut entries, now) = (self.lock(), Instant::now());
        for key in asked.iter().filter(|key| !found.contains_key(key)) {
            entries.map.remove(key);
            *entries.absent.place(*key, now) = now;
        }
        entries.map.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(known: Known<&str>) -> Generation {
        match known {
            Known::Nothing(generation) => generation,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_looked_up_before_a_refresh_does_not_get_in_after_it() {
        let cache = Cache::<u8, &str>::new();
        let before = generation(cache.get(1));
        assert!(cache.stale().is_empty());
        assert!(!cache.put(1, Some("old"), before));
        assert!(!cache.put(2, None, before));
        let after = generation(cache.get(1));
        assert_eq!(after, generation(cache.get(2)));
        assert!(cache.put(1, Some("new"), after));
        assert_eq!(cache.get(1), Known::Here("new"));
    }

    #[test]
    fn what_is_gone_from_the_database_goes_from_the_cache() {
        let cache = Cache::<u8, &str>::new();
        cache.put(1, Some("a"), Generation(0));
        cache.put(2, Some("b"), Generation(0));
        let stale = cache.stale();
        cache.replace(&stale, HashMap::from([(2, "c")]));
        assert_eq!((cache.get(1), cache.get(2)), (Known::Absent, Known::Here("c")));
    }

    #[test]
    fn what_does_not_exist_is_remembered_until_something_changes() {
        let cache = Cache::<u8, &str>::new();
        let before = generation(cache.get(1));
        cache.put(1, None, before);
        assert_eq!(cache.get(1), Known::Absent);
        cache.stale();
        let after = generation(cache.get(1));
        cache.put(1, Some("a"), after);
        assert_eq!(cache.get(1), Known::Here("a"));
    }
}

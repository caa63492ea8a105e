//! A map that remembers what was put into it of late, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of entries: when the younger is full it becomes the older, and what was the older is forgotten. So
/// each step is cheap, however many keys strangers make up, and what is put in again and again stays.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    most: usize,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// One that holds at least the last `most` entries, and at most twice as many.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Where the value of a key is kept; a key that is not remembered begins with `value`.
    pub(crate) fn place(&mut self, key: K, value: V) -> &mut V {
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert_with(|| self.old.remove(&key).unwrap_or(value))
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut recent = Recent::new(100);
        for n in 0..10_000 {
            assert_eq!(*recent.place(n, n), n);
            *recent.place(-1, -1) += 1;
            assert_eq!((recent.get(&n), recent.get(&-1)), (Some(&n), Some(&n)));
            assert!(recent.get(&(n - 50).max(0)).is_some(), "the last ones are there");
            assert!(recent.young.len() + recent.old.len() <= 200);
        }
        assert_eq!(recent.get(&1), None);
        recent.clear();
        assert_eq!(recent.get(&-1), None);
    }
}

//! Finds messages by a word, such as the `CustomID`, without a scan.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

/// Sequence numbers by word, oldest first.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Box<str>, VecDeque<u64>>);

impl Index {
    /// Notes the newest message under a word; the empty word is not indexed.
    pub(super) fn add(&mut self, word: &str, seq: u64) {
        if word.is_empty() {
            return;
        }
        match self.0.get_mut(word) {
            Some(list) => list.push_back(seq),
            None => {
                self.0.insert(word.into(), VecDeque::from([seq]));
            }
        }
    }

    /// Forgets the oldest message under a word, if it is this one.
    pub(super) fn forget(&mut self, word: &str, seq: u64) {
        if let Entry::Occupied(mut entry) = self.0.entry(word.into()) {
            if entry.get().front() == Some(&seq) {
                entry.get_mut().pop_front();
            }
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// The messages under a word, oldest first.
    pub(super) fn find(&self, word: &str) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.0.get(word).into_iter().flatten().copied()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

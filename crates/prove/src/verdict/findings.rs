//! What is wrong, if anything is, and what is worth knowing besides.

use std::collections::BTreeMap;

/// How many of a kind are shown word for word.
const SHOWN: usize = 5;

/// Things that are wrong in one way.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) count: usize,
    pub(crate) shown: Vec<String>,
}

impl Wrong {
    /// One more.
    pub(crate) fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(what());
        }
    }
}

/// What came of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Answered 200, and not there.
    pub(crate) lost: Wrong,
    /// There twice.
    pub(crate) doubled: Wrong,
    /// Raven says something that is not so.
    pub(crate) untrue: Wrong,
    /// Neither done nor given up.
    pub(crate) stuck: Wrong,
    /// How many messages have each status.
    pub(crate) statuses: BTreeMap<String, usize>,
    /// Messages that clients were answered 200 for.
    pub(crate) answered: usize,
    /// Messages that went out although no client heard of a 200: the answer was 503, or none came.
    pub(crate) unheard: usize,
    /// Messages that it took more than one attempt to send.
    pub(crate) tried_again: usize,
    /// Events in the history.
    pub(crate) events: usize,
}

impl Findings {
    /// What is wrong, by name.
    pub(crate) fn wrong(&self) -> [(&'static str, &Wrong); 4] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("misreported", &self.untrue),
            ("stuck", &self.stuck),
        ]
    }

    /// How much is wrong.
    pub(crate) fn total(&self) -> usize {
        self.wrong().iter().map(|(_, wrong)| wrong.count).sum()
    }
}

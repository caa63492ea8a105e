//! Who may publish now, with a token for each publish that is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::load::Load;

/// The load of a publisher; clones share it.
#[derive(Clone)]
pub(super) struct Admission(Arc<Mutex<Load>>);

impl Admission {
    pub(super) fn new(ceiling: usize, time_limit: Duration) -> Self {
        Self(Arc::new(Mutex::new(Load::new(ceiling, time_limit, Instant::now()))))
    }

    /// Admits so many publishes with so many bytes in all, or none of them; answers when. Each takes its token at once.
    pub(super) fn admit(&self, count: usize, bytes: usize) -> Option<Instant> {
        self.with(|load, now| load.admit(count, bytes, now).then_some(now))
    }

    /// The token of a publish of so many bytes that was admitted then.
    pub(super) fn token(&self, bytes: usize, since: Instant) -> Admitted {
        Admitted { admission: self.clone(), bytes, since, answered: false }
    }

    fn with<T>(&self, what: impl FnOnce(&mut Load, Instant) -> T) -> T {
        let mut load = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut load, Instant::now())
    }
}

/// A publish that is under way, until this is dropped.
pub(super) struct Admitted {
    admission: Admission,
    bytes: usize,
    since: Instant,
    answered: bool,
}

impl Admitted {
    /// The broker has answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let (bytes, since, answered) = (self.bytes, self.since, self.answered);
        self.admission.with(|load, now| {
            let waited = answered.then(|| now.saturating_duration_since(since));
            load.over(bytes, waited, now);
        });
    }
}

//! Who may publish now, with a token for each publish that is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Load, Wanted};
use crate::{Publication, PublishError, Queue};

/// The load of a publisher; clones share it.
#[derive(Clone)]
pub(super) struct Admission(Arc<Mutex<Load>>);

impl Admission {
    pub(super) fn new(ceiling: usize, time_limit: Duration) -> Self {
        Self(Arc::new(Mutex::new(Load::new(ceiling, time_limit, Instant::now()))))
    }

    /// Admits all that is wanted, or nothing of it; answers when. Each publish takes its token at once.
    pub(super) fn admit(&self, wanted: Wanted) -> Result<Instant, PublishError> {
        self.with(|load, now| load.admit(wanted, now).map(|()| now))
    }

    /// The token of a publish that was admitted then.
    pub(super) fn token(&self, publication: &Publication, since: Instant) -> Admitted {
        let (queue, bytes) = (publication.queue, publication.body.len());
        Admitted { admission: self.clone(), queue, bytes, since, answered: false }
    }

    fn with<T>(&self, what: impl FnOnce(&mut Load, Instant) -> T) -> T {
        let mut load = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut load, Instant::now())
    }
}

/// A publish that is under way, until this is dropped.
pub(super) struct Admitted {
    admission: Admission,
    queue: Queue,
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
        let (queue, bytes, since, answered) = (self.queue, self.bytes, self.since, self.answered);
        self.admission.with(|load, now| {
            let waited = answered.then(|| now.saturating_duration_since(since));
            load.over(queue, bytes, waited, now);
        });
    }
}

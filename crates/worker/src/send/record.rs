//! Recording how things ended, several calls at once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{MessageId, Outcome};
use service::tasks::describe;
use service::{Liveness, Ration};
use store::Store;
use store::messages::{Transition, Unbegun};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::desk::Place;

/// How long recording an outcome is tried. After that it is found out by asking Mailjet.
const RECORD_FOR: Duration = Duration::from_secs(30);
/// Transactions at once.
const AT_ONCE: usize = 2;
/// Most messages of one transaction, and most recipients that their outcomes name.
const MOST: usize = 1000;
const MOST_RECIPIENTS: usize = 5000;
/// What takes the database longer than this is told in halves when it has to be told again.
const LONG: Duration = Duration::from_secs(10);

/// A message that this worker has done with, and its place, which is free once that is recorded.
pub(crate) struct Settled {
    end: End,
    _place: Option<Place>,
}

enum End {
    Attempt(Transition),
    Unbegun(Unbegun),
}

impl Settled {
    pub(crate) fn attempt(transition: Transition, place: Option<Place>) -> Self {
        Self { end: End::Attempt(transition), _place: place }
    }

    pub(crate) fn unbegun(unbegun: Unbegun, place: Option<Place>) -> Self {
        Self { end: End::Unbegun(unbegun), _place: place }
    }

    fn id(&self) -> MessageId {
        match &self.end {
            End::Attempt(transition) => transition.id,
            End::Unbegun(unbegun) => unbegun.id,
        }
    }

    fn recipients(&self) -> usize {
        match &self.end {
            End::Attempt(Transition { outcome: Outcome::Accepted(recipients), .. }) => recipients.len(),
            End::Attempt(_) | End::Unbegun(_) => 1,
        }
    }
}

/// Writes what has ended, all that has by the time that a transaction is free.
pub(super) struct Recorder {
    store: Store,
    liveness: Liveness,
    ration: Ration,
    open: Mutex<Vec<Settled>>,
    turns: Semaphore,
}

impl Recorder {
    pub(super) fn new(store: Store, liveness: Liveness) -> Self {
        Self {
            store,
            liveness,
            ration: Ration::default(),
            open: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Puts down what has ended; [`Self::write`] has to follow.
    pub(super) fn put(&self, settled: Vec<Settled>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend(settled);
    }

    /// Writes until nothing is open, or somebody else has taken it on.
    pub(super) async fn write(&self) {
        loop {
            let Ok(_turn) = self.turns.acquire().await else { return };
            let batch = self.take();
            if batch.is_empty() {
                return;
            }
            let (mut transitions, mut unbegun) = (Vec::new(), Vec::new());
            for settled in &batch {
                match &settled.end {
                    End::Attempt(transition) => transitions.push(transition.clone()),
                    End::Unbegun(claim) => unbegun.push(claim.clone()),
                }
            }
            self.bisect(&transitions).await;
            self.bisect(&unbegun).await;
        }
    }

    /// The next batch, in order. It holds each message once: when a late call and a question tell of the same one, each
    /// has a transaction of its own, in which the second sees what the first has done.
    fn take(&self) -> Vec<Settled> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut rest) = (Vec::new(), Vec::new());
        let (mut seen, mut recipients) = (HashSet::new(), 0);
        for settled in open.drain(..) {
            if batch.len() < MOST && recipients < MOST_RECIPIENTS && seen.insert(settled.id()) {
                recipients += settled.recipients();
                batch.push(settled);
            } else {
                rest.push(settled);
            }
        }
        *open = rest;
        batch
    }

    /// Records for as long as it takes within reason: what is not recorded has to be asked for. Where the database will
    /// not take a batch, halves it, so that one bad row costs no other its outcome.
    async fn bisect<T: Record>(&self, all: &[T]) {
        let deadline = Instant::now() + RECORD_FOR;
        let mut open = vec![all];
        let mut wait = Duration::from_millis(100);
        while let Some(part) = open.pop() {
            // One for each part: all of them may take longer than any turn does, if the database is slow enough.
            let _alive = self.liveness.turn("outcomes");
            let begun = Instant::now();
            match T::record(&self.store, part).await {
                Ok(()) => T::count(part),
                Err(fault) if fault.is_transient() && Instant::now() < deadline => {
                    tracing::debug!(%fault, "outcomes are not recorded yet");
                    if begun.elapsed() > LONG && part.len() > 1 {
                        open.extend(<[_; 2]>::from(part.split_at(part.len() / 2)));
                    } else {
                        open.push(part);
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(3));
                }
                Err(fault) if !fault.is_transient() && part.len() > 1 => {
                    open.extend(<[_; 2]>::from(part.split_at(part.len() / 2)));
                }
                Err(fault) => {
                    if let Some(left_out) = self.ration.take() {
                        let (fault, count) = (describe(&fault), part.len());
                        tracing::error!(
                            fault,
                            count,
                            left_out,
                            "outcomes are not recorded; Mailjet will be asked"
                        );
                    }
                }
            }
        }
    }
}

/// What can be recorded in batches.
trait Record: Sized + Sync {
    fn record(store: &Store, part: &[Self]) -> impl Future<Output = Result<(), store::Error>> + Send;
    fn count(part: &[Self]);
}

impl Record for Transition {
    fn record(store: &Store, part: &[Self]) -> impl Future<Output = Result<(), store::Error>> + Send {
        store::messages::record(store, part)
    }

    fn count(part: &[Self]) {
        for transition in part {
            metrics::counter!("raven_attempts_total", "outcome" => transition.outcome.name()).increment(1);
        }
    }
}

impl Record for Unbegun {
    fn record(store: &Store, part: &[Self]) -> impl Future<Output = Result<(), store::Error>> + Send {
        store::messages::release(store, part)
    }

    fn count(part: &[Self]) {
        metrics::counter!("raven_claims_given_back_total")
            .increment(u64::try_from(part.len()).unwrap_or_default());
    }
}

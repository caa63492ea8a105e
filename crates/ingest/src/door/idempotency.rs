//! `Idempotency-Key`: the same key in one tenant always means the same message.
//!
//! The guarantee that one mail is sent does not rest on anything here: the id is derived from tenant and key, and the
//! worker claims an id once. What is here only makes answers better: it recognises repeats, so that they need not be
//! queued again, and refuses a key that comes with another body. It knows what this process saw of late, and asks the
//! database for the rest while that answers at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use domain::{MessageId, TenantId, limits};
use store::Store;
use store::messages;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::problem::{Code, Fault, Problem};

/// Requests that are remembered, twice over: one generation is filled while the one before it still answers.
const GENERATION: usize = 50_000;
/// How long the database may take before a request goes on without its answer.
const LOOK_UP: Duration = Duration::from_millis(250);
/// After so many that took longer, one after the other, the database is left alone for [`REST`]: by then it has noticed that
/// nobody waits for them, and they do not pile up there. What this process has not seen itself is taken for new meanwhile.
const MOST_LATE: u32 = 5;
const REST: Duration = Duration::from_secs(5);

/// What is known of keys.
pub(crate) struct Replays {
    store: Store,
    /// What is wrong with the database, if anything is; then it is not asked.
    database: watch::Receiver<Option<String>>,
    seen: Mutex<Generations>,
    lateness: Mutex<Lateness>,
}

/// How the database answered lately.
#[derive(Default)]
struct Lateness {
    /// Look-ups that took too long, since the last one that did not.
    late: u32,
    /// Until when it has its rest.
    rests: Option<Instant>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<MessageId, Seen>,
    old: HashMap<MessageId, Seen>,
}

/// A request under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of its content.
    pub(crate) digest: String,
    /// Whether it was answered `scheduled`.
    pub(crate) scheduled: bool,
}

/// What a request under a key is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Not seen before, as far as is known: to be published.
    New,
    /// Accepted before.
    Repeat(Seen),
}

/// The key of a request, if it has one.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let printable = |text: &&str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let text = value.to_str().ok().map(str::trim).filter(printable);
    match text.filter(|text| (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&text.len())) {
        Some(text) => Ok(Some(text)),
        None => Err(Problem::invalid(vec![Fault {
            pointer: "Idempotency-Key".to_owned(),
            detail: format!("is not 1 to {} printable ASCII characters", limits::IDEMPOTENCY_KEY_CHARS),
        }])),
    }
}

impl Replays {
    pub(crate) fn new(store: Store, database: watch::Receiver<Option<String>>) -> Self {
        Self { store, database, seen: Mutex::default(), lateness: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what a request with this content is.
    pub(crate) async fn look(
        &self,
        tenant: TenantId,
        id: MessageId,
        digest: &str,
    ) -> Result<Request, Problem> {
        let known = self.lock().get(id);
        let known = match known {
            Some(seen) => Some(seen),
            None => self.stored(tenant, id).await,
        };
        match known {
            None => Ok(Request::New),
            Some(seen) if seen.digest == digest => Ok(Request::Repeat(seen)),
            Some(_) => Err(Problem::new(
                Code::IdempotencyMismatch,
                "This Idempotency-Key was used for a request with another body.",
            )),
        }
    }

    /// Remembers a request that was accepted.
    pub(crate) fn accepted(&self, id: MessageId, seen: Seen) {
        self.lock().put(id, seen);
    }

    fn lateness(&self) -> MutexGuard<'_, Lateness> {
        self.lateness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stored(&self, tenant: TenantId, id: MessageId) -> Option<Seen> {
        if self.database.borrow().is_some() || self.lateness().rests() {
            return None;
        }
        let looking = tokio::time::timeout(LOOK_UP, messages::digest(&self.store, tenant, id));
        let answered = looking.await.ok();
        self.lateness().note(answered.is_none());
        let stored = answered?.ok()??;
        Some(Seen { digest: stored.digest, scheduled: stored.scheduled })
    }
}

impl Lateness {
    fn rests(&self) -> bool {
        self.rests.is_some_and(|until| Instant::now() < until)
    }

    fn note(&mut self, was_late: bool) {
        self.late = if was_late { self.late + 1 } else { 0 };
        if self.late == MOST_LATE {
            *self = Self { late: 0, rests: Some(Instant::now() + REST) };
        }
    }
}

impl Generations {
    fn get(&self, id: MessageId) -> Option<Seen> {
        self.young.get(&id).or_else(|| self.old.get(&id)).cloned()
    }

    fn put(&mut self, id: MessageId, seen: Seen) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, seen);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_late_again_and_again_has_a_rest() {
        let mut lateness = Lateness::default();
        for was_late in [true, true, true, true, false, true, true, true, true] {
            lateness.note(was_late);
            assert!(!lateness.rests());
        }
        lateness.note(true);
        assert!(lateness.rests());
        tokio::time::advance(REST).await;
        assert!(!lateness.rests());
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_latest() {
        let mut generations = Generations::default();
        let seen = Seen { digest: "d".to_owned(), scheduled: false };
        let count = GENERATION * 3;
        for n in 0..count {
            generations.put(MessageId(Uuid::from_u128(n as u128)), seen.clone());
        }
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
        assert!(generations.get(MessageId(Uuid::from_u128((count - GENERATION) as u128))).is_some());
        assert!(generations.get(MessageId(Uuid::from_u128(0))).is_none());
    }
}

//! Whether connections are still good. A network that forgets a connection, or what stands between and goes on
//! acknowledging for a server that is gone, tells nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Hook, HookError};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::Client;

/// A connection that was taken this recently is good enough to be taken again without a question.
const RECENT: Duration = Duration::from_secs(1);
/// How long the answer to that question may take, and how long a new connection may take that shows that the server is well.
const QUESTION: Duration = Duration::from_secs(2);

/// What is held against the connections of a pool. One that was not in use for a moment is asked before it is taken; when
/// it does not answer, all that lay there meanwhile are as bad, and need not be asked one after the other. When a new
/// connection is then made without trouble, it is not the server that is slow: what waits for answers on the old ones
/// waits in vain.
pub(crate) struct Doubt {
    /// What was taken before this is not to be taken any more.
    since: Mutex<Option<Instant>>,
    /// Connections on which nothing has passed since then are dead.
    dead: watch::Sender<Option<Instant>>,
    /// Whether a statement may take as long as it will.
    patient: AtomicBool,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { since: Mutex::default(), dead: watch::Sender::new(None), patient: AtomicBool::new(false) }
    }
}

impl Doubt {
    /// Lets go what is not good.
    pub(crate) fn hook(doubt: Arc<Self>) -> Hook {
        Hook::async_fn(move |client: &mut ClientWrapper, metrics| {
            let (doubt, since) = (Arc::clone(&doubt), metrics.last_used());
            Box::pin(async move {
                if since < RECENT || doubt.asks(client, since).await {
                    Ok(())
                } else {
                    Err(HookError::message("it does not answer"))
                }
            })
        })
    }

    async fn asks(&self, client: &Client, since: Duration) -> bool {
        let now = Instant::now();
        if self.lock().is_some_and(|doubted| now.checked_sub(since).is_none_or(|used| used < doubted)) {
            return false;
        }
        let answer = tokio::time::timeout(QUESTION, client.simple_query("")).await;
        if answer.is_err() {
            // It owed nothing to anybody: one with a statement under way is never given back.
            // Others may have been taken without a question since this one began, but not much later.
            *self.lock() = Some(now + RECENT);
        }
        matches!(answer, Ok(Ok(_)))
    }

    /// Notes that a connection was made, which began at `began`.
    pub(crate) fn connected(&self, began: Instant) {
        let doubted = *self.lock();
        if doubted.is_some_and(|doubted| began > doubted) && began.elapsed() < QUESTION {
            self.dead.send_if_modified(|dead| {
                let is_news = *dead < doubted;
                *dead = doubted.max(*dead);
                is_news
            });
        }
    }

    /// Tells each time that connections turn out to be dead.
    pub(crate) fn news(&self) -> impl Stream<Item = ()> {
        stream::unfold(self.dead.subscribe(), async |mut dead| {
            dead.changed().await.ok()?;
            Some(((), dead))
        })
        .fuse()
    }

    /// Whether it is known that a connection is dead on which something passed at `active` for the last time.
    pub(crate) fn condemns(&self, active: Instant) -> bool {
        self.dead.borrow().is_some_and(|dead| active < dead)
    }

    #[cfg(test)]
    pub(crate) fn condemn(&self, before: Instant) {
        self.dead.send_replace(Some(before));
    }

    /// From now on, lets statements take as long as they will.
    pub(crate) fn be_patient(&self) {
        self.patient.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_patient(&self) -> bool {
        self.patient.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_silent_is_dead_once_another_was_made_easily() {
        let doubt = Doubt::default();
        let silent = Instant::now();
        tokio::time::advance(RECENT).await;
        *doubt.lock() = Some(Instant::now());
        tokio::time::advance(QUESTION).await;
        let active = Instant::now();
        assert!(!doubt.condemns(silent), "the server may be slow");
        let began = Instant::now();
        tokio::time::advance(QUESTION).await;
        doubt.connected(began);
        assert!(!doubt.condemns(silent), "it is slow");
        doubt.connected(Instant::now());
        assert!(doubt.condemns(silent));
        assert!(!doubt.condemns(active), "something passed since");
    }
}

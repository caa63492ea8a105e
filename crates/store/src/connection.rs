//! One connection: where it lives, how it ends, and whether it is still good.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Connect, Hook, HookError};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

/// A connection on which nothing passes for this long is closed. Either nobody uses it, or somebody waits for an answer
/// that will not come, since the server gives up any statement before: what stands between may go on acknowledging
/// packets for a server that is gone, so that the system notices nothing.
const SILENCE: Duration = Duration::from_secs(35);
/// How long a connection is suspected of that before it is closed.
const SUSPICION: Duration = Duration::from_secs(1);
/// A connection that was taken this recently is good enough to be taken again without a question.
const RECENT: Duration = Duration::from_secs(1);
/// How long the answer to that question may take.
const QUESTION: Duration = Duration::from_secs(2);

/// Connects on the runtime that prepared the store, whichever runtime asks: a connection that lived on the one thread
/// of an HTTP worker would wait for that worker's requests, and die with it.
pub(crate) struct On<T> {
    runtime: Handle,
    tls: T,
    patient: Arc<AtomicBool>,
}

impl<T> On<T> {
    /// With `patient` set, statements may take as long as they will.
    pub(crate) fn new(runtime: Handle, tls: T, patient: Arc<AtomicBool>) -> Self {
        Self { runtime, tls, patient }
    }
}

impl<T> Connect for On<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync,
    T::TlsConnect: Send + Sync,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(
        &self,
        config: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let (config, tls, runtime) = (config.clone(), self.tls.clone(), self.runtime.clone());
        let patient = Arc::clone(&self.patient);
        let connecting = self.runtime.spawn(async move {
            let (client, connection) = config.connect(tls).await?;
            let task = runtime.spawn(async move {
                match unless_silent(connection, &patient).await {
                    Some(Ok(())) => {}
                    Some(Err(fault)) => tracing::debug!(%fault, "a database connection ended"),
                    None => tracing::debug!("a database connection is closed for its silence"),
                }
            });
            Ok((client, task))
        });
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected,
                // The runtime is ending. There is no error to make of that; the pool's time limit will end the wait.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Drives a connection to its end; answers nothing when that was for its silence.
async fn unless_silent<T>(connection: impl Future<Output = T>, patient: &AtomicBool) -> Option<T> {
    let (mut connection, mut silence) = (pin!(connection), pin!(tokio::time::sleep(SILENCE)));
    let (mut active, mut suspected) = (Instant::now(), false);
    poll_fn(|context| {
        let is_late = silence.as_mut().poll(context).is_ready();
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        let now = Instant::now();
        if !is_late {
            // Something was to be written or read; nothing else calls.
            (active, suspected) = (now, false);
            return Poll::Pending;
        }
        let mut until = active + SILENCE;
        if until <= now {
            if suspected && !patient.load(Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            // In a process that was stopped the answer may have come just now.
            (suspected, until) = (true, now + SUSPICION);
        }
        silence.as_mut().reset(until);
        // Asks to be called then.
        if silence.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

/// Whether connections that lie in the pool are still good. One that was not in use for a moment is asked before it is
/// taken; when it does not answer, all that lay there meanwhile are as bad, and need not be asked one after the other.
#[derive(Default)]
pub(crate) struct Doubt(Mutex<Option<Instant>>);

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
            // Whatever was taken after this question began may be a better one.
            *self.lock() = Some(now);
        }
        matches!(answer, Ok(Ok(_)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_for_its_silence_and_not_for_its_age() {
        let patient = AtomicBool::new(false);
        let (something, mut passes) = mpsc::unbounded_channel();
        let connection = async { while passes.recv().await.is_some() {} };
        let traffic = async {
            for _ in 0..10 {
                tokio::time::sleep(SILENCE.mul_f64(0.9)).await;
                something.send(()).unwrap();
            }
            Instant::now()
        };
        let (ended, last) = tokio::join!(unless_silent(connection, &patient), traffic);
        assert_eq!(ended, None);
        let silent = last.elapsed();
        assert!((SILENCE..SILENCE + 2 * SUSPICION).contains(&silent), "{silent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_statements_may_take_long_silence_is_no_fault() {
        let patient = AtomicBool::new(true);
        let connection = tokio::time::sleep(100 * SILENCE);
        assert_eq!(unless_silent(connection, &patient).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_told() {
        let patient = AtomicBool::new(false);
        assert_eq!(unless_silent(async { 7 }, &patient).await, Some(7));
    }
}

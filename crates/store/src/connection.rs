//! One connection: where it lives, and how it ends.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::Stream as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};
use tokio_util::task::AbortOnDropHandle;

use crate::doubt::Doubt;

/// A connection on which nothing passes for this long is closed. Either nobody uses it, or somebody waits for an answer
/// that will not come, since the server gives up any statement before: what stands between may go on acknowledging
/// packets for a server that is gone, so that the system notices nothing.
const SILENCE: Duration = Duration::from_secs(35);
/// How long a connection is suspected of that before it is closed.
const SUSPICION: Duration = Duration::from_secs(1);

/// Connects on the runtime that prepared the store, whichever runtime asks: a connection that lived on the one thread
/// of an HTTP worker would wait for that worker's requests, and die with it.
pub(crate) struct On<T> {
    runtime: Handle,
    tls: T,
    doubt: Arc<Doubt>,
}

impl<T> On<T> {
    pub(crate) fn new(runtime: Handle, tls: T, doubt: Arc<Doubt>) -> Self {
        Self { runtime, tls, doubt }
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
        let doubt = Arc::clone(&self.doubt);
        // Ends with whoever waits for it: nothing else would end a handshake that is never answered.
        let connecting = AbortOnDropHandle::new(self.runtime.spawn(async move {
            let began = Instant::now();
            let (client, connection) = config.connect(tls).await?;
            doubt.connected(began);
            let task = runtime.spawn(async move {
                match unless_dead(connection, &doubt).await {
                    Some(Ok(())) => {}
                    Some(Err(fault)) => tracing::debug!(%fault, "a database connection ended"),
                    None => tracing::debug!("a database connection is closed for its silence"),
                }
            });
            Ok((client, task))
        }));
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected,
                // The runtime is ending. There is no error to make of that; the pool's time limit will end the wait.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Drives a connection to its end; answers nothing when it was dead. One that is known to be dead is suspected first, as
/// one is that was silent for long: an answer that lies in the socket is not to be thrown away.
async fn unless_dead<T>(connection: impl Future<Output = T>, doubt: &Doubt) -> Option<T> {
    let (mut connection, mut silence) = (pin!(connection), pin!(tokio::time::sleep(SILENCE)));
    let mut news = pin!(doubt.news());
    // When something was written or read last.
    let mut active = Instant::now();
    let mut suspected = false;
    poll_fn(|context| {
        let is_late = silence.as_mut().poll(context).is_ready();
        let mut is_told = false;
        while let Poll::Ready(Some(())) = news.as_mut().poll_next(context) {
            is_told = true;
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        let now = Instant::now();
        if !is_late && !is_told {
            // Something was to be written or read; hardly anything else calls.
            (active, suspected) = (now, false);
            return Poll::Pending;
        }
        let mut until = active + SILENCE;
        if until <= now || doubt.condemns(active) {
            if is_late && suspected && !doubt.is_patient() {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tokio_postgres::NoTls;

    use super::*;

    #[tokio::test]
    async fn a_handshake_that_is_not_answered_ends_with_whoever_waits_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = format!("host=127.0.0.1 port={port} user=nobody sslmode=disable").parse().unwrap();
        let on = On::new(Handle::current(), NoTls, Arc::default());
        let accepted = tokio::select! {
            _ = on.connect(&config) => panic!("nobody answered"),
            accepted = listener.accept() => accepted,
        };
        let (mut server, _) = accepted.unwrap();
        // Of a handshake that goes on this would never see the end.
        let mut said = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), server.read_to_end(&mut said));
        assert!(read.await.is_ok(), "it goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_for_its_silence_and_not_for_its_age() {
        let doubt = Doubt::default();
        let (something, mut passes) = mpsc::unbounded_channel();
        let connection = async { while passes.recv().await.is_some() {} };
        let traffic = async {
            for _ in 0..10 {
                tokio::time::sleep(SILENCE.mul_f64(0.9)).await;
                something.send(()).unwrap();
            }
            Instant::now()
        };
        let (ended, last) = tokio::join!(unless_dead(connection, &doubt), traffic);
        assert_eq!(ended, None);
        let silent = last.elapsed();
        assert!((SILENCE..SILENCE + 2 * SUSPICION).contains(&silent), "{silent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_statements_may_take_long_silence_is_no_fault() {
        let doubt = Doubt::default();
        doubt.be_patient();
        let connection = tokio::time::sleep(100 * SILENCE);
        assert_eq!(unless_dead(connection, &doubt).await, Some(()));
    }

    /// Condemns all that was silent for a moment, from a task of its own: nothing else is to call the connection.
    fn condemning(doubt: &Arc<Doubt>, and_then: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
        let (doubt, mut task) = (Arc::clone(doubt), JoinSet::new());
        task.spawn(async move {
            tokio::time::sleep(SUSPICION).await;
            doubt.condemn(Instant::now());
            and_then.await;
        });
        task
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_to_be_dead_ends_soon() {
        let (doubt, begun) = (Arc::<Doubt>::default(), Instant::now());
        let _task = condemning(&doubt, async {});
        assert_eq!(unless_dead(std::future::pending::<()>(), &doubt).await, None);
        assert!(begun.elapsed() < SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_there_when_a_connection_is_condemned_is_taken() {
        let doubt = Arc::<Doubt>::default();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let _task = condemning(&doubt, async { answer.send(()).unwrap() });
        assert_eq!(unless_dead(answered, &doubt).await, Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_while_it_is_suspected_lives() {
        let doubt = Arc::<Doubt>::default();
        let (something, mut passes) = mpsc::unbounded_channel();
        let connection = async { while passes.recv().await.is_some() {} };
        let _task = condemning(&doubt, async move {
            tokio::time::sleep(SUSPICION / 2).await;
            something.send(()).unwrap();
            tokio::time::sleep(SILENCE / 2).await;
        });
        assert_eq!(unless_dead(connection, &doubt).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_told() {
        let doubt = Doubt::default();
        assert_eq!(unless_dead(async { 7 }, &doubt).await, Some(7));
    }
}

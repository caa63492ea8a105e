//! Consuming in batches.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use lapin::Connection;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lane::Lane;
use crate::supervisor::Supervisor;
use crate::{BrokerUrl, Delivery, Publisher, Queue, State, Verdict};

/// A lane begins again this long after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Closing waits for the broker no longer than this.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a queue is consumed.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// The queue.
    pub queue: Queue,
    /// Batches in progress at once, each on a channel of its own.
    pub lanes: usize,
    /// Deliveries on each channel that are not acknowledged yet: what one lane may hold in memory.
    pub prefetch: u16,
    /// Most deliveries of one batch.
    pub batch: usize,
    /// Bytes of bodies after which a batch is closed.
    pub batch_bytes: usize,
    /// Batches of large bodies in progress at once, beside the others.
    pub large_lanes: usize,
    /// Large deliveries on each of their channels.
    pub large_prefetch: u16,
    /// How long an incomplete batch waits for company while others are arriving.
    pub linger: Duration,
}

/// Processes batches.
pub trait Handler: Send + Sync + 'static {
    /// Answers one verdict for each delivery, in order. Never called twice at once for the same delivery; called again
    /// for it after [`Verdict::RetryLater`], and by any process after a crash: processing must be idempotent.
    fn handle(&self, batch: &[Delivery]) -> impl Future<Output = Vec<Verdict>> + Send;
}

/// Starts consuming on a connection of its own, on `tracker`. On shutdown no more is taken, what is in progress is
/// finished and acknowledged, and the rest goes back to the queue.
pub fn start<H: Handler>(
    url: BrokerUrl,
    settings: ConsumerSettings,
    handler: Arc<H>,
    dead_letters: Publisher,
    (tracker, shutdown): (&TaskTracker, CancellationToken),
) -> watch::Receiver<State> {
    let (sender, state) = watch::channel(State::Down("starting".to_owned()));
    let name = format!("raven-worker {}", settings.queue.name());
    let supervisor = Supervisor { url, name, state: Arc::new(sender), shutdown: shutdown.clone() };
    tracker.spawn(supervisor.run(move |connection, lost| {
        session(
            (connection, lost),
            settings.clone(),
            Arc::clone(&handler),
            dead_letters.clone(),
            shutdown.clone(),
        )
    }));
    state
}

async fn session<H: Handler>(
    (connection, lost): (Arc<Connection>, CancellationToken),
    settings: ConsumerSettings,
    handler: Arc<H>,
    dead_letters: Publisher,
    shutdown: CancellationToken,
) -> String {
    let mut lanes = JoinSet::new();
    let spawn = |lanes: &mut JoinSet<_>, number| {
        // The last ones take large bodies.
        let large = settings.queue.large_name().filter(|_| number >= settings.lanes);
        let lane = Lane {
            number,
            source: large.unwrap_or(settings.queue.name()),
            prefetch: if large.is_some() { settings.large_prefetch } else { settings.prefetch },
            settings: settings.clone(),
            handler: Arc::clone(&handler),
            dead_letters: dead_letters.clone(),
            lost: lost.clone(),
            shutdown: shutdown.clone(),
        };
        let connection = Arc::clone(&connection);
        lanes.spawn(async move { (number, AssertUnwindSafe(lane.run(&connection)).catch_unwind().await) });
    };
    for number in 0..settings.lanes + settings.large_lanes {
        spawn(&mut lanes, number);
    }
    // Lanes are never cut off: each ends by itself, after the batch that it has in hand.
    let mut why = None;
    while let Some(ended) = lanes.join_next().await {
        match ended {
            Ok((_, Ok(Ok(())))) => {}
            Ok((_, Ok(Err(reason)))) => {
                // The first knows the cause; the others follow from it.
                why.get_or_insert(reason);
                // Whatever it was, everything is declared and begun anew; the other lanes end after their batch.
                give_up(connection.close(200, "begins anew".into()), &lost).await;
            }
            // A defect of the handler: what the lane had in hand goes back to the queue, which counts the returns and
            // dead-letters in the end. The other lanes go on meanwhile.
            Ok((number, Err(_))) => {
                tracing::error!(queue = settings.queue.name(), lane = number, "the handler panicked");
                tokio::time::sleep(AFTER_PANIC).await;
                spawn(&mut lanes, number);
            }
            Err(fault) => _ = why.get_or_insert(fault.to_string()),
        }
    }
    why.unwrap_or_else(|| "shutting down".to_owned())
}

/// Gives up a connection, and tells all who work on it: closing ends its heartbeat and is no event, so that nothing else
/// would, least of all where the broker does not answer.
async fn give_up<T>(close: impl Future<Output = T>, lost: &CancellationToken) {
    let _whatever = tokio::time::timeout(CLOSE_TIMEOUT, close).await;
    lost.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_are_told_of_a_connection_that_is_given_up_though_the_broker_does_not_answer() {
        let lost = CancellationToken::new();
        give_up(std::future::pending::<()>(), &lost).await;
        assert!(lost.is_cancelled());
    }
}

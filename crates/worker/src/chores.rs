//! What has to be done from time to time, by any worker.

use std::time::Duration;

use service::Liveness;
use service::tasks::describe;
use store::delivery_events::{self, Window};
use store::{Store, chores, partitions};
use tokio_util::sync::CancellationToken;

/// How often partitions are looked after; they are made months ahead.
const PARTITIONS: Duration = Duration::from_hours(6);
/// How often each worker sees whether events are to be linked to messages that appeared after them.
const LINKS: Duration = Duration::from_secs(5);
/// How often that is done, and for which events: soon for those that came just now, and for all of a day from time to
/// time. Events of mail that somebody else sent never find a message, and must not be looked through every few seconds.
const LINKING: [(&str, Duration, Window); 2] = [
    ("link recent events", LINKS, Window { age: Duration::from_mins(2), most: 10_000 }),
    (
        "link the day's events",
        Duration::from_mins(15),
        Window { age: Duration::from_hours(24), most: usize::MAX },
    ),
];
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// What chores are done with.
#[derive(Clone)]
pub(crate) struct Chores {
    pub(crate) store: Store,
    pub(crate) liveness: Liveness,
}

impl Chores {
    /// Keeps partitions ahead of time, until shutdown.
    pub(crate) async fn keep_partitions(self, shutdown: CancellationToken) {
        loop {
            let turn = self.liveness.turn("partitions");
            let wait = match partitions::ensure(&self.store).await {
                Ok(0) => PARTITIONS,
                Ok(created) => {
                    tracing::info!(created, "partitions of delivery_events created");
                    PARTITIONS
                }
                Err(fault) => {
                    if !fault.is_transient() {
                        tracing::warn!(fault = describe(&fault), "partitions could not be looked after");
                    }
                    AFTER_FAILURE
                }
            };
            drop(turn);
            if shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Links events to their messages, until shutdown. Of all workers, one does it each time.
    pub(crate) async fn link_events(self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LINKS)).await.is_some() {
            for (name, period, window) in LINKING {
                let turn = self.liveness.turn("links");
                match link(&self.store, (name, period, window), || turn.renew()).await {
                    Ok(0) => {}
                    Ok(linked) => {
                        tracing::info!(linked, "events linked to messages that appeared after them");
                    }
                    Err(fault) if fault.is_transient() => {}
                    Err(fault) => tracing::warn!(fault = describe(&fault), "events could not be linked"),
                }
            }
        }
    }
}

async fn link(
    store: &Store,
    (name, period, window): (&str, Duration, Window),
    further: impl Fn(),
) -> Result<usize, store::Error> {
    // A little earlier than due, or each turn would be missed by the time that the last one took.
    if chores::take(store, name, period.mul_f64(0.9)).await? {
        delivery_events::link(store, window, further).await
    } else {
        Ok(0)
    }
}

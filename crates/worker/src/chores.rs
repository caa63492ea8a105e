//! What has to be done from time to time, by any worker.

use std::time::Duration;

use service::tasks::describe;
use store::{Store, delivery_events, partitions};
use tokio_util::sync::CancellationToken;

/// How often partitions are looked after; they are made months ahead.
const PARTITIONS: Duration = Duration::from_hours(6);
/// How often events are linked to messages that appeared after them.
const LINKS: Duration = Duration::from_secs(5);
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Keeps partitions ahead of time, until shutdown.
pub(crate) async fn keep_partitions(store: Store, shutdown: CancellationToken) {
    loop {
        let wait = match partitions::ensure(&store).await {
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
        if shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// Links events to their messages, until shutdown.
pub(crate) async fn link_events(store: Store, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(LINKS)).await.is_some() {
        match delivery_events::link(&store).await {
            Ok(0) => {}
            Ok(linked) => tracing::info!(linked, "events linked to messages that appeared after them"),
            Err(fault) if fault.is_transient() => {}
            Err(fault) => tracing::warn!(fault = describe(&fault), "events could not be linked"),
        }
    }
}

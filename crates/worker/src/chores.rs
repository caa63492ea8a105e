//! What has to be done from time to time, by any worker.

use std::time::Duration;

use store::{Store, partitions};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_hours(6);
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Keeps partitions ahead of time, until shutdown.
pub(crate) async fn run(store: Store, shutdown: CancellationToken) {
    loop {
        let wait = match partitions::ensure(&store).await {
            Ok(0) => EVERY,
            Ok(created) => {
                tracing::info!(created, "partitions of delivery_events created");
                EVERY
            }
            Err(fault) => {
                tracing::debug!(%fault, "partitions could not be looked after");
                AFTER_FAILURE
            }
        };
        if shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

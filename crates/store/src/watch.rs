//! Whether the database is there.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Store;

const PROBE: Duration = Duration::from_secs(2);

/// Asks the database from time to time whether it is there. The value is what is wrong with it, if anything is.
pub fn watch(
    store: Store,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> watch::Receiver<Option<String>> {
    let (sender, receiver) = watch::channel(Some("not asked yet".to_owned()));
    tracker.spawn(async move {
        loop {
            let fault = match tokio::time::timeout(PROBE, store.ping()).await {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(fault.to_string()),
                Err(_) => Some("the database does not answer".to_owned()),
            };
            sender.send_if_modified(|state| {
                let changed = state.is_some() != fault.is_some();
                match (&fault, changed) {
                    (Some(fault), true) => tracing::warn!("database: {fault}"),
                    (None, true) => tracing::info!("database: connected"),
                    _ => {}
                }
                *state = fault;
                changed
            });
            if shutdown.run_until_cancelled(tokio::time::sleep(PROBE)).await.is_none() {
                return;
            }
        }
    });
    receiver
}

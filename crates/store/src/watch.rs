//! Whether the database is there.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Store;

const PROBE: Duration = Duration::from_secs(2);
const NO_ANSWER: &str = "the database does not answer";

/// Asks the database from time to time whether it is there. The value is what is wrong with it, if anything is.
pub fn watch(
    store: Store,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> watch::Receiver<Option<String>> {
    let (sender, receiver) = watch::channel(Some("not asked yet".to_owned()));
    tracker.spawn(async move {
        loop {
            // The log tells all of it; the state is shown to whoever asks.
            let (fault, whole) = match tokio::time::timeout(PROBE, store.ping()).await {
                Ok(Ok(())) => (None, String::new()),
                Ok(Err(fault)) => (Some(fault.condition()), describe(&fault)),
                Err(_) => (Some(NO_ANSWER.to_owned()), NO_ANSWER.to_owned()),
            };
            sender.send_if_modified(|state| {
                let changed = state.is_some() != fault.is_some();
                match (&fault, changed) {
                    (Some(_), true) => tracing::warn!("database: {whole}"),
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

/// An error with all its causes, in one line.
fn describe(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(fault.source(), |fault| fault.source());
    causes.fold(fault.to_string(), |text, cause| format!("{text}: {cause}"))
}

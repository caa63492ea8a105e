//! Whether a service that starts could open what is stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Lacking, lacking};
use crate::{Error, Keyring, Store};

/// How long a start waits for the answer. Services must start while Postgres is away.
const AT_START: Duration = Duration::from_secs(3);
/// How often it is asked afterwards, until all is well.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Compares the ring with what is stored. Where keys are lacking, the start is to be given up: the process that this one
/// was to replace goes on. If Postgres does not say so in time, the service starts, and the value that is answered tells
/// as soon as it is known what is lacking: then nobody may be left to go on, so that ending would do more harm.
///
/// Nothing is compared any more once all keys were there: a secret that somebody seals later with another ring is the
/// trouble of its tenant, and none of the others'.
pub async fn guard(
    store: &Store,
    ring: &Arc<Keyring>,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> Result<watch::Receiver<Option<String>>, Lacking> {
    let (sender, receiver) = watch::channel(None);
    match within(AT_START, store, ring).await {
        Some(Ok(None)) => return Ok(receiver),
        Some(Ok(Some(lacking))) => return Err(lacking),
        Some(Err(fault)) => tracing::debug!(%fault, "the keys could not be compared yet"),
        None => {}
    }
    let (store, ring) = (store.clone(), Arc::clone(ring));
    tracker.spawn(async move {
        while shutdown.run_until_cancelled(tokio::time::sleep(AFTERWARDS)).await.is_some() {
            match within(AT_START, &store, &ring).await {
                Some(Ok(None)) => {
                    sender.send_replace(None);
                    return;
                }
                Some(Ok(Some(lacking))) => {
                    let why = format!("RAVEN_ENCRYPTION_KEYS {lacking}");
                    sender.send_if_modified(|state| {
                        let news = state.as_ref() != Some(&why);
                        if news {
                            tracing::error!("{why}");
                            *state = Some(why);
                        }
                        news
                    });
                }
                Some(Err(_)) | None => {}
            }
        }
    });
    Ok(receiver)
}

async fn within(limit: Duration, store: &Store, ring: &Keyring) -> Option<Result<Option<Lacking>, Error>> {
    tokio::time::timeout(limit, lacking(store, ring)).await.ok()
}

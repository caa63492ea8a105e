//! What ingest needs to do its work.

use std::sync::Arc;
use std::time::Duration;

use broker::State;
use metrics_exporter_prometheus::PrometheusHandle;
use service::ops::Ops;
use service::{Check, Readiness};
use store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PROBE: Duration = Duration::from_secs(2);

/// Asks the database from time to time whether it is there. The value is what is wrong with it, if anything is.
pub(crate) fn watch_database(
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

/// Ready when the broker takes messages. Without the database sends and webhooks of known tenants are still
/// accepted, so its absence is told but does not take ingest out of service.
pub(crate) fn ops(
    broker: watch::Receiver<State>,
    database: watch::Receiver<Option<String>>,
    shutdown: CancellationToken,
    metrics: PrometheusHandle,
) -> Ops {
    let broker = move || {
        let state = broker.borrow();
        (!state.is_up()).then(|| state.to_string())
    };
    let database = move || database.borrow().clone();
    let ending = move || shutdown.is_cancelled().then(|| "shutting down".to_owned());
    let readiness = Readiness::new(vec![
        Check { name: "rabbitmq", required: true, fault: Arc::new(broker) },
        Check { name: "postgres", required: false, fault: Arc::new(database) },
        Check { name: "process", required: true, fault: Arc::new(ending) },
    ]);
    Ops { readiness, metrics }
}

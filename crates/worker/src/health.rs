//! What a worker needs to do its work.

use std::sync::Arc;

use broker::State;
use service::{Check, Liveness, Readiness};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Has an eye on those who keep connections: without one of them nothing would come back by itself.
pub(crate) fn watch(
    liveness: &Liveness,
    (consumers, publisher): (&[watch::Receiver<State>; 3], &watch::Receiver<State>),
    database: &watch::Receiver<Option<String>>,
) {
    for (queue, state) in ["sends", "sends-bulk", "events"].into_iter().zip(consumers) {
        liveness.watch(format!("consumer of {queue}"), state);
    }
    liveness.watch("publisher", publisher);
    liveness.watch("database", database);
}

/// Ready when all queues are consumed and the database is there. Mailjet's absence is no reason to be unready:
/// messages are taken on all the same, and wait. A ring that lacks keys, found out after the start, makes unready but
/// stops no work: most tenants' secrets may open.
pub(crate) fn readiness(
    consumers: [watch::Receiver<State>; 3],
    (database, keys): (watch::Receiver<Option<String>>, watch::Receiver<Option<String>>),
    shutdown: CancellationToken,
) -> Readiness {
    let broker = move || {
        let states = consumers.iter().map(|state| state.borrow().clone());
        states.into_iter().find(|state| matches!(state, State::Down(_))).map(|state| state.to_string())
    };
    let database = move || database.borrow().clone();
    let keys = move || keys.borrow().clone();
    let ending = move || shutdown.is_cancelled().then(|| "shutting down".to_owned());
    Readiness::new(vec![
        Check { name: "rabbitmq", required: true, fault: Arc::new(broker) },
        Check { name: "postgres", required: true, fault: Arc::new(database) },
        Check { name: "encryption_keys", required: true, fault: Arc::new(keys) },
        Check { name: "process", required: true, fault: Arc::new(ending) },
    ])
}

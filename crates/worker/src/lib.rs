//! `raven-worker`: sends what is queued, records what Mailjet tells, and finds out what nobody knows.
//!
//! Guarantees: the claim of a message is committed before Mailjet is called, and its outcome after; no transaction is
//! open during a call; a message whose outcome is uncertain is asked for, and sent again only when Mailjet repeatedly
//! has not heard of it; an event is recorded once, with all that follows from it, or not at all.
//!
//! This crate must never acknowledge a delivery (it answers verdicts), and never hold a transaction over a call.

mod bisect;
mod chores;
mod domains;
mod events;
mod health;
mod retention;
mod send;
pub mod settings;
mod webhooks;

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context as _;
use broker::{ConsumerSettings, Publisher, PublisherSettings, Queue, State, consumer};
use provisioning::Provisioner;
use service::shared::ENCRYPTION_KEYS;
use service::tasks::keep_running;
use service::{Liveness, ops, telemetry};
use store::{Store, sealed};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chores::Chores;
use crate::send::{Intake, Sender, due, questions};
use crate::settings::{Settings, WebhookPace};

/// Works until `shutdown`; then finishes what is in hand, and ends.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    #[cfg(feature = "sabotage")]
    broker::sabotage::check()?;
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("RAVEN_LISTEN: cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let liveness = Liveness::start(shutdown.clone())?;
    let metrics = telemetry::start_metrics();
    // Work ends first; what it needs to end well, afterwards.
    let (work, background) = (TaskTracker::new(), TaskTracker::new());
    let stop_background = CancellationToken::new();
    let store =
        Store::new(settings.database.clone(), settings.database_connections).context("DATABASE_URL")?;
    let keyring = Arc::new(settings.keyring.clone());
    let keys = sealed::guard(&store, &keyring, &background, stop_background.clone())
        .await
        .map_err(|lacking| ENCRYPTION_KEYS.invalid(lacking.to_string()))?;
    let database = store::watch(store.clone(), &background, stop_background.clone());
    let dead_letters = Publisher::start(
        settings.broker.clone(),
        PublisherSettings {
            name: "raven-worker publisher".to_owned(),
            channels: 1,
            timeout: std::time::Duration::from_secs(5),
        },
        &background,
        stop_background.clone(),
    );
    let sender = Sender::new(&settings, store.clone(), liveness.clone(), (&work, &shutdown));
    let consumers = consume(&settings, &sender, &dead_letters, (&work, &shutdown));
    health::watch(&liveness, (&consumers, &dead_letters.state()), &database);
    look_after(&sender, &store, (&work, &shutdown), (&background, &stop_background));
    let provisioner =
        Provisioner::new(store.clone(), Arc::new(settings.keyring.clone()), settings.mailjet.clone());
    keep_webhooks((settings.webhooks, provisioner.clone()), &liveness, (&background, &stop_background));
    let (rhythm, alive, stop) = (settings.domains, liveness.clone(), shutdown.clone());
    work.spawn(keep_running("domains", move || {
        domains::look(provisioner.clone(), rhythm, alive.clone(), stop.clone())
    }));
    forget(&settings, &store, &liveness, (&background, &stop_background));
    background.spawn(liveness.clone().pulse(stop_background.clone()));
    background.spawn(telemetry::keep_up(metrics.clone(), stop_background.clone()));
    let readiness = health::readiness(consumers, (database, keys), shutdown.clone());
    let ops = ops::Ops { liveness, readiness, metrics };
    tracing::info!(%address, "working");
    let serving = async {
        let served = ops::serve(listener, ops, stop_background.clone()).await;
        // Should the server end by itself, everything ends.
        shutdown.cancel();
        served
    };
    let ending = async {
        shutdown.cancelled().await;
        end(&work, &background, &stop_background, settings.shutdown_grace).await;
    };
    let (served, ()) = tokio::join!(serving, ending);
    // Kept until here: without any handle the publisher would take itself for done while others still work.
    drop(dead_letters);
    store.close();
    served.context("the HTTP server failed")
}

/// Starts consuming: the sends of everybody, those that come in floods, and webhook bodies.
fn consume(
    settings: &Settings,
    sender: &Arc<Sender>,
    dead_letters: &Publisher,
    (work, shutdown): (&TaskTracker, &CancellationToken),
) -> [watch::Receiver<State>; 3] {
    let url = || settings.broker.clone();
    let intake = Arc::new(Intake { sender: Arc::clone(sender) });
    let [usual, bulk] = [Queue::Sends, Queue::BulkSends].map(|queue| {
        let (settings, intake) = (sends(settings, queue), Arc::clone(&intake));
        consumer::start(url(), settings, intake, dead_letters.clone(), (work, shutdown.clone()))
    });
    let recorder = Arc::new(events::Recorder::new(sender.store().clone(), sender.liveness().clone()));
    let events =
        consumer::start(url(), webhooks(settings), recorder, dead_letters.clone(), (work, shutdown.clone()));
    [usual, bulk, events]
}

/// Starts what goes by the clock: due messages are work, chores go on until that has ended.
fn look_after(
    sender: &Arc<Sender>,
    store: &Store,
    (work, shutdown): (&TaskTracker, &CancellationToken),
    (background, stop_background): (&TaskTracker, &CancellationToken),
) {
    let (sends, stop) = (Arc::clone(sender), shutdown.clone());
    work.spawn(keep_running("due", move || due::run(Arc::clone(&sends), stop.clone())));
    let (asks, stop) = (Arc::clone(sender), shutdown.clone());
    work.spawn(keep_running("questions", move || questions::run(Arc::clone(&asks), stop.clone())));
    let chores = Chores { store: store.clone(), liveness: sender.liveness().clone() };
    let (links, stop) = (chores.clone(), stop_background.clone());
    background.spawn(keep_running("links", move || links.clone().link_events(stop.clone())));
    let stop = stop_background.clone();
    background.spawn(keep_running("partitions", move || chores.clone().keep_partitions(stop.clone())));
}

/// Starts looking after the webhooks at Mailjet.
fn keep_webhooks(
    (pace, provisioner): (WebhookPace, Provisioner),
    liveness: &Liveness,
    (background, stop_background): (&TaskTracker, &CancellationToken),
) {
    let (alive, stop) = (liveness.clone(), stop_background.clone());
    background.spawn(keep_running("webhooks", move || {
        webhooks::run(provisioner.clone(), pace, alive.clone(), stop.clone())
    }));
}

/// Starts deleting what is old.
fn forget(
    settings: &Settings,
    store: &Store,
    liveness: &Liveness,
    (background, stop_background): (&TaskTracker, &CancellationToken),
) {
    let (old, keep) = (store.clone(), settings.retention);
    let (alive, stop) = (liveness.clone(), stop_background.clone());
    background.spawn(keep_running("retention", move || {
        retention::keep(old.clone(), keep, alive.clone(), stop.clone())
    }));
}

/// Waits for what is in hand. What does not end in time is safe all the same: the queue delivers it again, or its claim
/// runs out and Mailjet is asked.
async fn end(
    work: &TaskTracker,
    background: &TaskTracker,
    stop_background: &CancellationToken,
    grace: std::time::Duration,
) {
    work.close();
    if tokio::time::timeout(grace, work.wait()).await.is_err() {
        tracing::warn!(tasks = work.len(), "ended with work in hand");
    }
    stop_background.cancel();
    background.close();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(3), background.wait()).await;
}

fn sends(settings: &Settings, queue: Queue) -> ConsumerSettings {
    ConsumerSettings {
        queue,
        lanes: settings.send_lanes,
        prefetch: 500,
        batch: 500,
        batch_bytes: 16 * 1024 * 1024,
        large_lanes: if queue == Queue::Sends { 2 } else { 1 },
        large_prefetch: 2,
        // Only for the sake of a fuller claim; calls have a linger of their own.
        linger: settings.linger.min(std::time::Duration::from_millis(2)),
    }
}

fn webhooks(settings: &Settings) -> ConsumerSettings {
    ConsumerSettings {
        queue: Queue::Events,
        lanes: settings.event_lanes,
        prefetch: settings.event_prefetch,
        batch: settings.event_batch,
        batch_bytes: 512 * 1024,
        large_lanes: 1,
        large_prefetch: 2,
        linger: std::time::Duration::from_millis(5),
    }
}

//! `raven-ingest`: takes sends and webhooks onto the queue, and serves the management API beside that.
//!
//! Guarantees of the door (`door`): 200 is answered only after RabbitMQ confirmed a persistent, routed message on a
//! quorum queue, or, where that is turned on, is on this machine's disk (`spool`); anything else is an error that says whether to try again. An accepted send or webhook never waits for
//! Postgres: keys, tenants and tokens come from a cache (`directory`) that goes on serving while Postgres is away.
//!
//! This crate must never call Mailjet on the way to a 200.

pub mod app;
mod auth;
mod body;
mod database;
mod directory;
mod docs;
mod door;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod limits;
mod manage;
mod metering;
mod openapi;
mod page;
mod problem;
mod read;
mod recent;
mod refusals;
mod resource;
mod server;
pub mod settings;
mod spool;

use std::sync::Arc;

use anyhow::Context as _;
use broker::{Publisher, PublisherSettings};
use provisioning::Provisioner;
use service::Invalid;
use service::shared::ENCRYPTION_KEYS;
use service::tasks::keep_running;
use service::{Liveness, telemetry};
use store::{Store, sealed};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Parts;
use crate::directory::Directory;
use crate::door::{Outlet, Replays};
use crate::limits::Limits;
use crate::settings::{SPOOL_DIR, Settings};
use crate::spool::{Drain, Spool, SpoolSettings};

/// Connections to Postgres over which changes are followed, beside those of requests. There is one question at a time.
const FOLLOWING: usize = 1;

/// Serves until `shutdown`; then answers what has begun, and ends.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    #[cfg(feature = "sabotage")]
    broker::sabotage::check()?;
    let listener = server::listen(settings.listen)
        .with_context(|| format!("RAVEN_LISTEN: cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let liveness = Liveness::start(shutdown.clone())?;
    let (tracker, background) = (TaskTracker::new(), CancellationToken::new());
    let store =
        Store::new(settings.database.clone(), settings.database_connections).context("DATABASE_URL")?;
    let keyring = Arc::new(settings.keyring);
    let keys = sealed::guard(&store, &keyring, &tracker, background.clone())
        .await
        .map_err(|lacking| ENCRYPTION_KEYS.invalid(lacking.to_string()))?;
    let metrics = telemetry::start_metrics();
    let publishing = |name: &str, channels| {
        let name = format!("raven-ingest {name}");
        let publisher = PublisherSettings { name, channels, timeout: settings.publish_timeout };
        Publisher::start(settings.broker.clone(), publisher, &tracker, background.clone())
    };
    let publisher = publishing("publisher", settings.publish_channels);
    let spool = open(settings.spool, |spool| {
        let drain = Drain::new(spool, publishing("spool", 1), background.clone());
        tracker.spawn(keep_running("spool", move || drain.clone().run()));
    });
    let spool = spool.await?;
    let following = Store::new(settings.database, FOLLOWING).context("DATABASE_URL")?;
    let directory = Directory::new(store.clone(), following.clone());
    let (fresh, alive, stop) = (directory.clone(), liveness.clone(), background.clone());
    tracker.spawn(keep_running("directory", move || fresh.clone().keep_fresh(alive.clone(), stop.clone())));
    let database = store::watch(store.clone(), &tracker, background.clone());
    tracker.spawn(telemetry::keep_up(metrics.clone(), background.clone()));
    tracker.spawn(liveness.clone().pulse(background.clone()));
    let (broker, room) = (publisher.state(), spool.as_ref().map(Spool::status));
    let parts = Parts {
        ops: health::ops(liveness, (broker, room), (database.clone(), keys), shutdown.clone(), metrics),
        replays: Arc::new(Replays::new(store.clone(), database)),
        directory,
        limits: Arc::new(Limits::new(settings.limits)),
        budget: Arc::new(body::Budget::new()),
        outlet: Arc::new(Outlet::new(publisher, spool)),
        store: store.clone(),
        provisioner: Provisioner::new(store.clone(), Arc::clone(&keyring), settings.mailjet),
        keyring,
        public_url: settings.public_url.unwrap_or_else(|| format!("http://{address}")).into(),
    };
    tracing::info!(%address, "listening");
    let app = move || app::build(parts.clone());
    let served = server::serve(listener, app, settings.shutdown_grace, &shutdown).await;
    // Only now, when no request is left that could need it.
    background.cancel();
    tracker.close();
    if tokio::time::timeout(settings.shutdown_grace, tracker.wait()).await.is_err() {
        tracing::warn!(tasks = tracker.len(), "ended with tasks still at work");
    }
    store.close();
    following.close();
    served.context("the HTTP server failed")
}

/// The spool, where one is set, which is drained from now on. What is wrong with its directory is wrong with the setting.
async fn open(settings: Option<SpoolSettings>, drain: impl FnOnce(Spool)) -> Result<Option<Spool>, Invalid> {
    let Some(settings) = settings else { return Ok(None) };
    let spool = Spool::open(settings).await.map_err(|fault| SPOOL_DIR.invalid(fault.to_string()))?;
    drain(spool.clone());
    Ok(Some(spool))
}

//! `raven-ingest`: takes sends and webhooks onto the queue, and serves the management API beside that.
//!
//! Guarantees of the door (`door`): 200 is answered only after RabbitMQ confirmed a persistent, routed message on a
//! quorum queue; anything else is an error that says whether to try again. An accepted send or webhook never waits for
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
#[cfg(fuzzing)]
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
pub mod settings;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use anyhow::Context as _;
use broker::{Publisher, PublisherSettings};
use provisioning::Provisioner;
use service::shared::ENCRYPTION_KEYS;
use service::tasks::keep_running;
use service::telemetry;
use store::{Store, sealed};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Parts;
use crate::directory::Directory;
use crate::door::{Outlet, Replays};
use crate::limits::Limits;
use crate::settings::Settings;

/// Connections that one worker thread of the HTTP server holds open.
const CONNECTIONS: usize = 20_000;

/// Connections to Postgres over which changes are followed, beside those of requests. There is one question at a time.
const FOLLOWING: usize = 1;

/// Serves until `shutdown`; then answers what has begun, and ends.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("RAVEN_LISTEN: cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let (tracker, background) = (TaskTracker::new(), CancellationToken::new());
    let store =
        Store::new(settings.database.clone(), settings.database_connections).context("DATABASE_URL")?;
    let keyring = Arc::new(settings.keyring);
    let keys = sealed::guard(&store, &keyring, &tracker, background.clone())
        .await
        .map_err(|lacking| ENCRYPTION_KEYS.invalid(lacking.to_string()))?;
    let publisher = Publisher::start(
        settings.broker.clone(),
        PublisherSettings {
            name: "raven-ingest publisher".to_owned(),
            channels: settings.publish_channels,
            timeout: settings.publish_timeout,
        },
        &tracker,
        background.clone(),
    );
    let following = Store::new(settings.database, FOLLOWING).context("DATABASE_URL")?;
    let directory = Directory::new(store.clone(), following.clone());
    let (fresh, stop) = (directory.clone(), background.clone());
    tracker.spawn(keep_running("directory", move || fresh.clone().keep_fresh(stop.clone())));
    let database = store::watch(store.clone(), &tracker, background.clone());
    let metrics = telemetry::start_metrics();
    tracker.spawn(telemetry::keep_up(metrics.clone(), background.clone()));
    let parts = Parts {
        ops: health::ops(publisher.state(), (database.clone(), keys), shutdown.clone(), metrics),
        replays: Arc::new(Replays::new(store.clone(), database)),
        directory,
        limits: Arc::new(Limits::new(settings.limits)),
        budget: Arc::new(body::Budget::new()),
        outlet: Arc::new(Outlet::new(publisher.clone())),
        publisher,
        store: store.clone(),
        provisioner: Provisioner::new(store.clone(), Arc::clone(&keyring), settings.mailjet),
        keyring,
        public_url: settings.public_url.unwrap_or_else(|| format!("http://{address}")).into(),
    };
    tracing::info!(%address, "listening");
    let served = serve(listener, parts, settings.shutdown_grace, &shutdown).await;
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

/// Serves until `shutdown`, and answers what has begun by then.
async fn serve(
    listener: TcpListener,
    parts: Parts,
    grace: Duration,
    shutdown: &CancellationToken,
) -> std::io::Result<()> {
    let server = HttpServer::new(move || app::build(parts.clone()))
        .max_connections(CONNECTIONS)
        .shutdown_timeout(grace.as_secs())
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    let stop = async {
        shutdown.cancelled().await;
        handle.stop(true).await;
    };
    let serve = async {
        let served = server.await;
        // Should the server end by itself, everything ends.
        shutdown.cancel();
        served
    };
    let (served, ()) = tokio::join!(serve, stop);
    served
}

//! From waiting webhooks to committed rows, beside the same rows written by plain SQL.

mod known;
mod plain;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio_postgres::Client;

use crate::corpus::Corpus;
use crate::facts::Pids;
use crate::installation::Installation;
use crate::queue::{Broker, DEAD_LETTERS, EVENTS, Until};
use crate::usage::{self, Memory};

/// Events in a group.
pub(crate) const GROUP: usize = 100;
/// Publishes in flight while a queue is filled.
const FILL: usize = 512;

/// How the events wait in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// One event in a body.
    Singles,
    /// A hundred events in a body.
    Groups,
}

impl Shape {
    /// The bodies.
    pub(crate) fn bodies(self, corpus: &Corpus) -> Arc<[Bytes]> {
        match self {
            Self::Singles => corpus.singles().into(),
            Self::Groups => corpus.groups(GROUP).into(),
        }
    }

    /// In a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Groups => "groups of 100",
        }
    }
}

/// What one drain took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    /// From the first delivery to the last commit.
    pub(crate) time: Duration,
    /// Processor time in that time.
    pub(crate) worker: Duration,
    pub(crate) postgres: Duration,
    pub(crate) rabbitmq: Duration,
    /// The worker's.
    pub(crate) memory: Memory,
}

/// Fills the queue while no worker runs, then lets one empty it.
pub(crate) async fn by_worker(
    installation: &Installation,
    broker: &Broker,
    corpus: &Corpus,
    shape: Shape,
) -> Result<Drained> {
    let session = installation.fresh_database().await?;
    let client = &session.client;
    known::insert(client, installation.tenant, corpus).await?;
    let bodies = fill(broker, shape.bodies(corpus)).await?;
    settle(client).await?;
    let pids = Pids::find(installation).await?;
    let (mut worker, _) = installation.start("raven-worker")?;
    let begun = watch::begun(broker, bodies, &mut worker).await?;
    let before = (usage::cpu(worker.pid()), pids.postgres(), pids.rabbitmq());
    let time = watch::recorded(client, corpus.events.len(), begun, &mut worker).await?;
    let after = (usage::cpu(worker.pid()), pids.postgres(), pids.rabbitmq());
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    known::verify(client, corpus).await.context("events were lost")?;
    broker.holds(EVENTS, 0).await?;
    ensure!(broker.waiting(DEAD_LETTERS).await? == 0, "there are dead letters");
    Ok(Drained {
        time,
        worker: after.0.saturating_sub(before.0),
        postgres: after.1.saturating_sub(before.1),
        rabbitmq: after.2.saturating_sub(before.2),
        memory,
    })
}

/// Writes the same rows by plain SQL.
pub(crate) async fn by_plain_sql(
    installation: &Installation,
    corpus: &Corpus,
    connections: usize,
) -> Result<Duration> {
    plain::run(installation, corpus, connections).await
}

/// Publishes each body once; answers how many they are.
pub(crate) async fn fill(broker: &Broker, bodies: Arc<[Bytes]>) -> Result<usize> {
    broker.purge(EVENTS).await?;
    broker.publish(&bodies, FILL, Until::Each).await?;
    broker.holds(EVENTS, bodies.len()).await?;
    Ok(bodies.len())
}

/// Lets no measurement pay for what was written before it.
pub(crate) async fn settle(client: &Client) -> Result<()> {
    client.batch_execute("vacuum analyze").await?;
    client.batch_execute("checkpoint").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

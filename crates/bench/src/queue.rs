//! RabbitMQ without Raven: the same message as ingest publishes, over lapin alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation, Connection, ConnectionProperties};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::parcel::Parcel;
use crate::wait::until;

/// The queue of messages to send.
pub(crate) const SENDS: &str = "sends";
/// The queue of webhook bodies.
pub(crate) const EVENTS: &str = "events";
/// Where what cannot be processed goes.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";
/// As many channels as ingest publishes on by default.
const CHANNELS: usize = 4;
/// How long a queue may take to be as expected, and how often to look.
const LIMIT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_millis(20));
/// Publishes in flight while a queue is filled.
const FILL: usize = 512;

/// A connection to the virtual host.
pub(crate) struct Broker {
    connection: Connection,
    channel: Channel,
    tenant: Uuid,
}

/// When a stream of publishes ends.
#[derive(Clone)]
pub(crate) enum Until {
    /// Each parcel once.
    Each,
    /// The parcels in turn, until this moment.
    Time(Instant),
}

/// A confirmed publish: when it began, and how long the confirm took.
pub(crate) type Confirmed = (Instant, Duration);

impl Broker {
    /// Connects.
    pub(crate) async fn open(url: &str, tenant: Uuid) -> Result<Self> {
        let connection =
            Connection::connect(url, ConnectionProperties::default()).await.context("no RabbitMQ")?;
        let channel = connection.create_channel().await?;
        Ok(Self { connection, channel, tenant })
    }

    /// Bodies of webhooks of the tenant, ready to be published.
    pub(crate) fn events(&self, bodies: &[Bytes]) -> Arc<[Parcel]> {
        Parcel::events(self.tenant, bodies)
    }

    /// How many messages wait in a queue, not counting those that a consumer holds.
    pub(crate) async fn waiting(&self, queue: &str) -> Result<usize> {
        let options = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let found = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        Ok(usize::try_from(found.message_count())?)
    }

    /// Empties a queue, also of what is still on its way into it.
    pub(crate) async fn purge(&self, queue: &str) -> Result<()> {
        until(&format!("an empty queue {queue}"), LIMIT, async || {
            self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
            Ok((self.waiting(queue).await? == 0).then_some(()))
        })
        .await
    }

    /// Waits until a queue holds exactly so many messages.
    pub(crate) async fn holds(&self, queue: &str, count: usize) -> Result<()> {
        until(&format!("{count} messages in {queue}"), LIMIT, async || {
            Ok((self.waiting(queue).await? == count).then_some(()))
        })
        .await
    }

    /// Adds each of these; answers how many they are.
    pub(crate) async fn fill(&self, parcels: Arc<[Parcel]>) -> Result<usize> {
        Ok(self.publish(&parcels, FILL, Until::Each).await?.len())
    }

    /// Publishes with so many unconfirmed at any time, over as many channels as ingest uses, one task each; answers
    /// every confirm.
    pub(crate) async fn publish(
        &self,
        parcels: &Arc<[Parcel]>,
        in_flight: usize,
        end: Until,
    ) -> Result<Vec<Confirmed>> {
        let mut lanes = JoinSet::new();
        for number in 0..CHANNELS {
            let channel = self.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let (parcels, end) = (Arc::clone(parcels), end.clone());
            let window = (in_flight / CHANNELS).max(1);
            lanes.spawn(async move {
                let mut next = number;
                let parcel = move || {
                    let parcel = match &end {
                        Until::Each => parcels.get(next).cloned(),
                        Until::Time(end) => {
                            (Instant::now() < *end).then(|| parcels[next % parcels.len()].clone())
                        }
                    };
                    next += CHANNELS;
                    parcel
                };
                let confirmed = lane(&channel, window, parcel).await;
                channel.close(200, "done".into()).await?;
                confirmed
            });
        }
        let mut all = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            all.append(&mut lane??);
        }
        Ok(all)
    }
}

/// Publishes what `next` gives until it gives no more, and waits for all confirms.
async fn lane(
    channel: &Channel,
    window: usize,
    mut next: impl FnMut() -> Option<Parcel>,
) -> Result<Vec<Confirmed>> {
    let mut confirmed = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    let mut ready: VecDeque<Parcel> = (0..window).filter_map(|_| next()).collect();
    loop {
        while let Some(parcel) = ready.pop_front() {
            in_flight.push(publish(channel, parcel));
        }
        let Some(done) = in_flight.next().await else { return Ok(confirmed) };
        confirmed.push(done?);
        ready.extend(next());
    }
}

async fn publish(channel: &Channel, parcel: Parcel) -> Result<Confirmed> {
    let begun = Instant::now();
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let Parcel { key, properties, body } = parcel;
    let confirm =
        channel.basic_publish("raven".into(), key.into(), options, &body, properties).await?.await?;
    ensure!(confirm == Confirmation::Ack(None), "a message was not kept: {confirm:?}");
    Ok((begun, begun.elapsed()))
}

//! Recording webhook bodies.

use std::time::Duration;

use broker::{Delivery, Handler, Verdict};
use domain::{DeliveryEvent, EventId, TenantId};
use jiff::Timestamp;
use mailjet::events::Items;
use service::Liveness;
use service::tasks::describe;
use store::delivery_events::{self, Incoming, Recorded};
use store::{Store, partitions};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::bisect::bisect;

/// Items that are recorded in one transaction. A body of 10 MiB may have millions; this bounds memory and time.
const SLICE: usize = 2000;
/// Tries of a transaction that meets others, and the pause in between.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// Handles the queue `events`.
pub(crate) struct Recorder {
    store: Store,
    liveness: Liveness,
    /// Set when the partitions of the present time are known to be there.
    prepared: OnceCell<()>,
}

/// A body, understood as far as its shape.
struct Webhook<'a> {
    tenant: TenantId,
    received_at: Timestamp,
    items: Items<'a>,
}

/// One item, and whence it came.
#[derive(Clone, Copy)]
struct Item<'a> {
    tenant: TenantId,
    received_at: Timestamp,
    json: &'a str,
}

impl Recorder {
    pub(crate) fn new(store: Store, liveness: Liveness) -> Self {
        Self { store, liveness, prepared: OnceCell::new() }
    }

    /// Records the items of these bodies, in slices; events count once, so those of a slice that was recorded before
    /// another failed do no harm when they come again.
    async fn record(&self, webhooks: Vec<&Webhook<'_>>) -> Result<(), store::Error> {
        self.prepared.get_or_try_init(|| self.prepare()).await?;
        let mut slice = Vec::new();
        for webhook in webhooks {
            for json in webhook.items.iter() {
                slice.push(Item { tenant: webhook.tenant, received_at: webhook.received_at, json });
                if slice.len() == SLICE {
                    self.slice(&slice).await?;
                    slice.clear();
                }
            }
        }
        self.slice(&slice).await
    }

    /// Sees to it that events do not come before the partition of their month. Should that be impossible, they go to
    /// the default one.
    async fn prepare(&self) -> Result<(), store::Error> {
        match partitions::ensure(&self.store).await {
            Err(fault) if fault.is_transient() => Err(fault),
            Err(fault) => {
                tracing::warn!(
                    fault = describe(&fault),
                    "partitions of delivery_events could not be created"
                );
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Records a slice; halves it where the database will not take it, until the culprit is alone. That one is then
    /// kept as an unknown event, so that nothing of what it says can be in the way.
    async fn slice(&self, slice: &[Item<'_>]) -> Result<(), store::Error> {
        let mut open = vec![slice];
        while let Some(part) = open.pop() {
            match self.write(part, mailjet::events::normalise).await {
                Err(fault) if fault.is_transient() => return Err(fault),
                Err(_) if part.len() > 1 => open.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
                Err(fault) => {
                    tracing::warn!(fault = describe(&fault), "an event is kept as unknown");
                    self.write(part, |json, _| mailjet::events::unknown(json)).await?;
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        items: &[Item<'_>],
        read: impl Fn(&str, Timestamp) -> DeliveryEvent,
    ) -> Result<(), store::Error> {
        let events: Vec<DeliveryEvent> = items.iter().map(|item| read(item.json, item.received_at)).collect();
        let incoming: Vec<Incoming<'_>> = items
            .iter()
            .zip(&events)
            .map(|(item, event)| Incoming {
                id: EventId(Uuid::now_v7()),
                tenant: item.tenant,
                provider: mailjet::events::PROVIDER,
                received_at: item.received_at,
                event,
            })
            .collect();
        let _turn = self.liveness.turn("events");
        let recorded = self.transact(&incoming).await?;
        metrics::counter!("raven_events_total", "known" => "no").increment(count(recorded.new));
        metrics::counter!("raven_events_total", "known" => "yes")
            .increment(count(incoming.len() - recorded.new));
        metrics::counter!("raven_events_unlinked_total").increment(count(recorded.unlinked));
        Ok(())
    }

    /// Transactions lock in one order and should never meet; should they all the same, the batch is tried again at once,
    /// a few times, before the queue's own backoff.
    async fn transact(&self, incoming: &[Incoming<'_>]) -> Result<Recorded, store::Error> {
        let mut tries = 1;
        loop {
            match delivery_events::record(&self.store, incoming).await {
                Err(store::Error::Contention(fault)) if tries < TRIES => {
                    tracing::debug!(%fault, tries, "a batch of events is tried again");
                    tries += 1;
                    tokio::time::sleep(PAUSE.mul_f64(fastrand::f64() * f64::from(tries))).await;
                }
                result => return result,
            }
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Handler for Recorder {
    async fn handle(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let webhooks: Vec<Result<Webhook<'_>, String>> = batch.iter().map(read).collect();
        let mut verdicts: Vec<Verdict> = webhooks
            .iter()
            .map(|webhook| match webhook {
                Ok(_) => Verdict::RetryLater,
                Err(reason) => Verdict::DeadLetter(reason.clone()),
            })
            .collect();
        let good = webhooks.iter().enumerate().filter(|(_, webhook)| webhook.is_ok()).map(|(place, _)| place);
        let process = |places: Vec<usize>| {
            let part = places.into_iter().filter_map(|place| webhooks[place].as_ref().ok()).collect();
            self.record(part)
        };
        bisect(good.collect(), process, &mut verdicts).await;
        verdicts
    }
}

fn read(delivery: &Delivery) -> Result<Webhook<'_>, String> {
    let header = |name: &str| delivery.header(name).ok_or_else(|| format!("the header {name} is missing"));
    let tenant =
        header("raven-tenant")?.parse().map_err(|_| "the header raven-tenant is no UUID".to_owned())?;
    let received_at: Timestamp = header("raven-received-at")?
        .parse()
        .map_err(|_| "the header raven-received-at is no time".to_owned())?;
    let provider = header("raven-provider")?;
    if provider != mailjet::events::PROVIDER {
        return Err(format!("the provider {provider} is not known to this version"));
    }
    let items = mailjet::events::items(&delivery.body).map_err(|fault| fault.to_string())?;
    Ok(Webhook { tenant, received_at, items })
}

//! Recording webhook bodies.

use broker::{Delivery, Handler, Verdict};
use domain::{DeliveryEvent, EventId, TenantId};
use jiff::Timestamp;
use store::Store;
use store::delivery_events::{self, Incoming};
use uuid::Uuid;

use crate::bisect::bisect;

/// Handles the queue `events`.
pub(crate) struct Recorder {
    store: Store,
}

/// A body, understood.
struct Webhook {
    tenant: TenantId,
    received_at: Timestamp,
    events: Vec<(EventId, DeliveryEvent)>,
}

impl Recorder {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    async fn record(&self, webhooks: Vec<&Webhook>) -> Result<(), store::Error> {
        let incoming: Vec<Incoming<'_>> = webhooks
            .into_iter()
            .flat_map(|webhook| {
                webhook.events.iter().map(|(id, event)| Incoming {
                    id: *id,
                    tenant: webhook.tenant,
                    provider: mailjet::events::PROVIDER,
                    received_at: webhook.received_at,
                    event,
                })
            })
            .collect();
        let recorded = delivery_events::record(&self.store, &incoming).await?;
        metrics::counter!("raven_events_total", "known" => "no").increment(count(recorded.new));
        metrics::counter!("raven_events_total", "known" => "yes")
            .increment(count(incoming.len() - recorded.new));
        metrics::counter!("raven_events_unlinked_total").increment(count(recorded.unlinked));
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Handler for Recorder {
    async fn handle(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let webhooks: Vec<Result<Webhook, String>> = batch.iter().map(read).collect();
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

fn read(delivery: &Delivery) -> Result<Webhook, String> {
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
    let events = mailjet::events::read(&delivery.body, received_at).map_err(|fault| fault.to_string())?;
    let events = events.into_iter().map(|event| (EventId(Uuid::now_v7()), event)).collect();
    Ok(Webhook { tenant, received_at, events })
}

//! Recording events: each once, and each with all that follows from it, in one transaction.

use std::collections::HashMap;

use domain::address::key_of;
use domain::{DeliveryEvent, EventId, Status, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use super::insert::{Entry, insert};
use crate::lent::Transaction;
use crate::messages::{Move, apply};
use crate::suppressions::{Cause, suppress};
use crate::{Error, Store};

/// An event with what its webhook tells of it.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// The id it gets if it is new.
    pub id: EventId,
    /// Whose webhook brought it.
    pub tenant: TenantId,
    /// Which provider's.
    pub provider: &'a str,
    /// When.
    pub received_at: Timestamp,
    /// The event.
    pub event: &'a DeliveryEvent,
}

/// What recording a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Events that were not known before.
    pub new: usize,
    /// Of those, how many belong to no known message.
    pub unlinked: usize,
}

/// Records a batch: history, statuses, suppressions. An event that is known already, in this batch or from any other,
/// adds no row and changes nothing.
pub async fn record(store: &Store, incoming: &[Incoming<'_>]) -> Result<Recorded, Error> {
    if incoming.is_empty() {
        return Ok(Recorded::default());
    }
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let numbers = numbers(&transaction, incoming.len()).await?;
    let times = times(&transaction, incoming).await?;
    let keys: Vec<String> = incoming.iter().map(|next| key_of(&next.event.recipient)).collect();
    // Numbers are in the order of arrival, rows in that of the unique key.
    let mut entries: Vec<Entry<'_>> = incoming
        .iter()
        .zip(keys.iter().zip(times).zip(numbers))
        .map(|(incoming, ((email_key, at), sequence))| Entry { incoming, email_key, at, sequence })
        .collect();
    entries.sort_unstable_by_key(|entry| {
        (entry.incoming.tenant, entry.incoming.event.fingerprint, entry.at, entry.sequence)
    });
    let new = insert(&transaction, &entries).await?;
    let known: HashMap<i64, &Entry<'_>> = entries.iter().map(|entry| (entry.sequence, entry)).collect();
    let new: Vec<(&Entry<'_>, Option<Uuid>)> =
        new.into_iter().filter_map(|(sequence, message)| Some((*known.get(&sequence)?, message))).collect();
    apply(&transaction, &moves(&new)).await?;
    suppress(&transaction, &causes(&new)).await?;
    transaction.commit().await?;
    let unlinked = new.iter().filter(|(_, message)| message.is_none()).count();
    Ok(Recorded { new: new.len(), unlinked })
}

/// What new events do to their messages.
fn moves(new: &[(&Entry<'_>, Option<Uuid>)]) -> Vec<Move> {
    new.iter()
        .filter(|(entry, _)| entry.incoming.event.effect.proves_sent)
        .filter_map(|(entry, message)| {
            Some(Move {
                message: (*message)?,
                tenant: entry.incoming.tenant.0,
                email_key: entry.email_key.to_owned(),
                number: entry
                    .incoming
                    .event
                    .provider_message_id
                    .as_deref()
                    .and_then(|text| text.parse().ok()),
                status: entry.incoming.event.effect.status.map(Status::rank),
            })
        })
        .collect()
}

/// Whom new events put on the suppression list.
fn causes<'a>(new: &[(&Entry<'a>, Option<Uuid>)]) -> Vec<Cause<'a>> {
    new.iter()
        .filter_map(|(entry, _)| {
            let Incoming { id, tenant, event, .. } = entry.incoming;
            let reason = event.effect.suppression?;
            Some(Cause {
                tenant: *tenant,
                email: &event.recipient,
                email_key: entry.email_key,
                reason,
                event: *id,
            })
        })
        .collect()
}

/// Announces to readers of the feed that events are about to be written, and draws a number for each.
async fn numbers(transaction: &Transaction<'_>, count: usize) -> Result<Vec<i64>, Error> {
    let statement = transaction.prepare_cached("select draw_event_numbers($1)").await?;
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    Ok(transaction.query(&statement, &[&count]).await?.iter().map(|row| row.get(0)).collect())
}

/// The time under which each event is stored. One that names none gets the time at which it, or an earlier copy of
/// it, first arrived, so that copies meet.
async fn times(transaction: &Transaction<'_>, incoming: &[Incoming<'_>]) -> Result<Vec<Timestamp>, Error> {
    let mut untimed: Vec<&Incoming<'_>> =
        incoming.iter().filter(|next| next.event.occurred_at.is_none()).collect();
    let mut first = HashMap::new();
    if !untimed.is_empty() {
        untimed.sort_by_key(|next| (next.tenant, next.event.fingerprint));
        let tenants: Vec<Uuid> = untimed.iter().map(|next| next.tenant.0).collect();
        let prints: Vec<&[u8]> = untimed.iter().map(|next| &next.event.fingerprint.0[..]).collect();
        let received: Vec<Timestamp> = untimed.iter().map(|next| next.received_at).collect();
        let insert = "insert into untimed_events (tenant_id, fingerprint, occurred_at)
             select * from unnest($1::uuid[], $2::bytea[], $3::timestamptz[]) as t(tenant_id, fingerprint, occurred_at)
             order by tenant_id, fingerprint on conflict do nothing";
        transaction.execute(insert, &[&tenants, &prints, &received]).await?;
        let select = "select u.tenant_id, u.fingerprint, u.occurred_at from untimed_events u
             join unnest($1::uuid[], $2::bytea[]) as t(tenant_id, fingerprint) using (tenant_id, fingerprint)";
        for row in transaction.query(select, &[&tenants, &prints]).await? {
            let key: (Uuid, Vec<u8>) = (row.get("tenant_id"), row.get("fingerprint"));
            first.insert(key, row.get("occurred_at"));
        }
    }
    let stored = |next: &Incoming<'_>| {
        let key = (next.tenant.0, next.event.fingerprint.0.to_vec());
        first.get(&key).copied().unwrap_or(next.received_at)
    };
    Ok(incoming.iter().map(|next| next.event.occurred_at.unwrap_or_else(|| stored(next))).collect())
}

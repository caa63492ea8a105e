//! Recording events: each once, and each with all that follows from it, in one transaction.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use domain::address::key_of;
use domain::{DeliveryEvent, EventId, Fingerprint, Status, SuppressionReason, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::messages::{Move, apply};
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

/// Sorted by the unique key, so that concurrent batches with common events wait for each other in one direction only.
/// A message is looked for by our id, and else by the provider's; within the tenant only.
const INSERT: &str = "
insert into delivery_events (tenant_id, id, fingerprint, kind, message_id, custom_id, recipient, recipient_key,
    recipient_status, provider, provider_message_id, provider_message_uuid, occurred_at, received_at, reason, url, ip,
    geo, user_agent, raw)
select i.tenant_id, i.id, i.fingerprint, i.kind, coalesce(m.id, r.message_id), i.custom_id, i.recipient,
    i.recipient_key, i.recipient_status, i.provider, i.provider_message_id, i.provider_message_uuid, i.occurred_at,
    i.received_at, i.reason, i.url, i.ip, i.geo, i.user_agent, i.raw
from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::smallint[],
            $9::text[], $10::text[], $11::uuid[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[],
            $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[])
    as i(tenant_id, id, fingerprint, kind, custom_id, recipient, recipient_key, recipient_status, provider,
         provider_message_id, provider_message_uuid, occurred_at, received_at, reason, url, ip, geo, user_agent, raw,
         number)
left join messages m on m.id = i.custom_id and m.tenant_id = i.tenant_id
left join lateral (
    select r.message_id from recipients r
    where m.id is null and r.tenant_id = i.tenant_id and r.provider_message_id = i.number limit 1
) r on true
order by i.tenant_id, i.fingerprint, i.occurred_at
on conflict do nothing
returning id, message_id";

/// The first date stays; a stronger reason takes the place of a weaker one.
const SUPPRESS: &str = "
insert into suppressions as s (tenant_id, email_key, email, reason, event_id)
select distinct on (tenant_id, email_key) tenant_id, email_key, email, reason, event_id
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::smallint[])
    as t(tenant_id, email_key, email, reason, event_id, strength)
order by tenant_id, email_key, strength desc
on conflict on constraint suppressions_pkey do update
set reason = excluded.reason, event_id = excluded.event_id
where suppression_strength(excluded.reason) > suppression_strength(s.reason)";

/// Records a batch: history, statuses, suppressions. An event that is known already, in this batch or from any other,
/// adds no row and changes nothing.
pub async fn record(store: &Store, incoming: &[Incoming<'_>]) -> Result<Recorded, Error> {
    if incoming.is_empty() {
        return Ok(Recorded::default());
    }
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let times = times(&transaction, incoming).await?;
    let new = insert(&transaction, incoming, &times).await?;
    let known: HashMap<Uuid, &Incoming<'_>> = incoming.iter().map(|next| (next.id.0, next)).collect();
    let mut moves = Vec::new();
    let mut suppressed = Vec::new();
    for (id, message) in &new {
        let Some(next) = known.get(id) else { continue };
        let effect = next.event.effect;
        if let (Some(message), true) = (*message, effect.proves_sent) {
            moves.push(Move {
                message,
                tenant: next.tenant.0,
                email_key: key_of(&next.event.recipient),
                status: effect.status.map(Status::rank),
            });
        }
        if let Some(reason) = effect.suppression {
            suppressed.push((*next, reason));
        }
    }
    apply(&transaction, &moves).await?;
    suppress(&transaction, &suppressed).await?;
    transaction.commit().await?;
    let unlinked = new.iter().filter(|(_, message)| message.is_none()).count();
    Ok(Recorded { new: new.len(), unlinked })
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

async fn insert(
    transaction: &Transaction<'_>,
    incoming: &[Incoming<'_>],
    times: &[Timestamp],
) -> Result<Vec<(Uuid, Option<Uuid>)>, Error> {
    // A column is a function of an event.
    fn column<'a, T>(incoming: &'a [Incoming<'a>], of: impl Fn(&'a Incoming<'a>) -> T) -> Vec<T> {
        incoming.iter().map(of).collect()
    }
    let text = |of: fn(&DeliveryEvent) -> Option<&str>| column(incoming, move |next| of(next.event));
    // An event without effect is a made-up one, or not understood: the provider's id in it is no proof of a link.
    let numbers = column(incoming, |next| {
        let id = next.event.provider_message_id.as_deref().filter(|_| next.event.effect.proves_sent)?;
        id.parse::<i64>().ok()
    });
    let statement = transaction.prepare_cached(INSERT).await?;
    let rows = transaction
        .query(
            &statement,
            &[
                &column(incoming, |next| next.tenant.0),
                &column(incoming, |next| next.id.0),
                &column(incoming, |next| fingerprint(&next.event.fingerprint)),
                &column(incoming, |next| next.event.kind.as_str()),
                &column(incoming, |next| next.event.message_id),
                &column(incoming, |next| next.event.recipient.as_str()),
                &column(incoming, |next| key_of(&next.event.recipient)),
                &column(incoming, |next| next.event.effect.status.map(Status::rank)),
                &column(incoming, |next| next.provider),
                &text(|event| event.provider_message_id.as_deref()),
                &column(incoming, |next| next.event.provider_message_uuid),
                &times,
                &column(incoming, |next| next.received_at),
                &text(|event| event.reason.as_deref()),
                &text(|event| event.url.as_deref()),
                &text(|event| event.ip.as_deref()),
                &text(|event| event.geo.as_deref()),
                &text(|event| event.user_agent.as_deref()),
                &column(incoming, |next| next.event.raw.as_str()),
                &numbers,
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("message_id"))).collect())
}

fn fingerprint(of: &Fingerprint) -> &[u8] {
    &of.0
}

async fn suppress(
    transaction: &Transaction<'_>,
    list: &[(&Incoming<'_>, SuppressionReason)],
) -> Result<(), Error> {
    if list.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = list.iter().map(|(next, _)| next.tenant.0).collect();
    let keys: Vec<String> = list.iter().map(|(next, _)| key_of(&next.event.recipient)).collect();
    let emails: Vec<&str> = list.iter().map(|(next, _)| next.event.recipient.as_str()).collect();
    let reasons: Vec<&str> = list.iter().map(|(_, reason)| reason.as_str()).collect();
    let events: Vec<Uuid> = list.iter().map(|(next, _)| next.id.0).collect();
    let strengths: Vec<i16> = list.iter().map(|(_, reason)| *reason as i16).collect();
    let statement = transaction.prepare_cached(SUPPRESS).await?;
    transaction.execute(&statement, &[&tenants, &keys, &emails, &reasons, &events, &strengths]).await?;
    Ok(())
}

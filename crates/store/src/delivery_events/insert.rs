//! Adding events to the history, a batch in one statement.

use std::sync::LazyLock;

use deadpool_postgres::Transaction;
use domain::{DeliveryEvent, Status};
use jiff::Timestamp;
use uuid::Uuid;

use super::Incoming;
use super::find::{FOUND, JOINS};
use crate::Error;

/// Numbers are drawn in the order of arrival, before the rows are sorted: by the unique key, so that concurrent batches
/// with common events wait for each other in one direction only.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "insert into delivery_events (tenant_id, sequence, id, fingerprint, kind, message_id, custom_id, recipient,
    recipient_key, recipient_status, provider, provider_message_id, provider_message_uuid, occurred_at, received_at,
    reason, url, ip, geo, user_agent, raw)
select i.tenant_id, i.sequence, i.id, i.fingerprint, i.kind, {FOUND}, i.custom_id, i.recipient, i.recipient_key,
    i.recipient_status, i.provider, i.provider_message_id, i.provider_message_uuid, i.occurred_at, i.received_at,
    i.reason, i.url, i.ip, i.geo, i.user_agent, i.raw
from (
    select *, nextval('delivery_event_sequence') as sequence
    from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::smallint[],
                $9::text[], $10::text[], $11::uuid[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::text[], $19::text[])
        as t(tenant_id, id, fingerprint, kind, custom_id, recipient, recipient_key, recipient_status, provider,
             provider_message_id, provider_message_uuid, occurred_at, received_at, reason, url, ip, geo, user_agent,
             raw)
) i
{JOINS}
order by i.tenant_id, i.fingerprint, i.occurred_at
on conflict do nothing
returning id, message_id"
    )
});

/// Adds those of `incoming` that are new, each with its key of `keys` and its time of `times`, and answers their ids and
/// messages.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    incoming: &[Incoming<'_>],
    keys: &[String],
    times: &[Timestamp],
) -> Result<Vec<(Uuid, Option<Uuid>)>, Error> {
    // A column is a function of an event.
    fn column<'a, T>(incoming: &'a [Incoming<'a>], of: impl Fn(&'a Incoming<'a>) -> T) -> Vec<T> {
        incoming.iter().map(of).collect()
    }
    let text = |of: fn(&DeliveryEvent) -> Option<&str>| column(incoming, move |next| of(next.event));
    let statement = transaction.prepare_cached(&INSERT).await?;
    let rows = transaction
        .query(
            &statement,
            &[
                &column(incoming, |next| next.tenant.0),
                &column(incoming, |next| next.id.0),
                &column(incoming, |next| &next.event.fingerprint.0[..]),
                &column(incoming, |next| next.event.kind.as_str()),
                &column(incoming, |next| next.event.message_id),
                &column(incoming, |next| next.event.recipient.as_str()),
                &keys,
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
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("message_id"))).collect())
}

//! Adding events to the history, a batch in one statement.

use std::sync::LazyLock;

use domain::{DeliveryEvent, Status};
use jiff::Timestamp;
use uuid::Uuid;

use super::Incoming;
use super::find::FOUND;
use crate::Error;
use crate::lent::Transaction;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "insert into delivery_events (tenant_id, sequence, id, fingerprint, kind, message_id, custom_id, recipient,
    recipient_key, recipient_status, provider, provider_message_id, provider_message_uuid, occurred_at, received_at,
    reason, url, ip, geo, user_agent, raw)
select i.tenant_id, i.sequence, i.id, i.fingerprint, i.kind, {FOUND}, i.custom_id, i.recipient, i.recipient_key,
    i.recipient_status, i.provider, i.provider_message_id, i.provider_message_uuid, i.occurred_at, i.received_at,
    i.reason, i.url, i.ip, i.geo, i.user_agent, i.raw
from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::text[], $6::uuid[], $7::text[], $8::text[],
            $9::smallint[], $10::text[], $11::text[], $12::uuid[], $13::timestamptz[], $14::timestamptz[], $15::text[],
            $16::text[], $17::text[], $18::text[], $19::text[], $20::text[])
    as i(tenant_id, sequence, id, fingerprint, kind, custom_id, recipient, recipient_key, recipient_status, provider,
         provider_message_id, provider_message_uuid, occurred_at, received_at, reason, url, ip, geo, user_agent, raw)
on conflict do nothing
returning sequence, message_id"
    )
});

/// An event with all that its row has beside it.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) incoming: &'a Incoming<'a>,
    /// Its recipient, as addresses are compared.
    pub(super) email_key: &'a str,
    /// The time under which it is stored.
    pub(super) at: Timestamp,
    /// Its number in the history.
    pub(super) sequence: i64,
}

/// Adds those entries that are new, and answers their numbers and messages. `entries` are sorted by the unique key, so
/// that concurrent batches with common events wait for each other in one direction only; `unnest` keeps their order.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    entries: &[Entry<'_>],
) -> Result<Vec<(i64, Option<Uuid>)>, Error> {
    // A column is a function of an entry.
    fn column<'a, T>(entries: &[Entry<'a>], of: impl Fn(&Entry<'a>) -> T) -> Vec<T> {
        entries.iter().map(of).collect()
    }
    fn event<'a>(entry: &Entry<'a>) -> &'a DeliveryEvent {
        entry.incoming.event
    }
    let statement = transaction.prepare_cached(&INSERT).await?;
    let rows = transaction
        .query(
            &statement,
            &[
                &column(entries, |entry| entry.incoming.tenant.0),
                &column(entries, |entry| entry.sequence),
                &column(entries, |entry| entry.incoming.id.0),
                &column(entries, |entry| &event(entry).fingerprint.0[..]),
                &column(entries, |entry| event(entry).kind.as_str()),
                &column(entries, |entry| event(entry).message_id),
                &column(entries, |entry| event(entry).recipient.as_str()),
                &column(entries, |entry| entry.email_key),
                &column(entries, |entry| event(entry).effect.status.map(Status::rank)),
                &column(entries, |entry| entry.incoming.provider),
                &column(entries, |entry| event(entry).provider_message_id.as_deref()),
                &column(entries, |entry| event(entry).provider_message_uuid),
                &column(entries, |entry| entry.at),
                &column(entries, |entry| entry.incoming.received_at),
                &column(entries, |entry| event(entry).reason.as_deref()),
                &column(entries, |entry| event(entry).url.as_deref()),
                &column(entries, |entry| event(entry).ip.as_deref()),
                &column(entries, |entry| event(entry).geo.as_deref()),
                &column(entries, |entry| event(entry).user_agent.as_deref()),
                &column(entries, |entry| event(entry).raw.as_str()),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get("sequence"), row.get("message_id"))).collect())
}

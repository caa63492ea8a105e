//! Taking a person out of events.

use domain::TenantId;
use uuid::Uuid;

use super::NOBODY;
use crate::Error;
use crate::lent::Transaction;

/// Events of one step.
const MOST: i64 = 500;

/// What is left of an event. The raw item cannot be read again, and the mark says so to whoever would.
const NOTHING: &str =
    "raw = '{\"erased\":true}', reason = null, url = null, ip = null, geo = null, user_agent = null,
    erased_at = now()";

/// Events of messages that were just erased: they go on naming the same recipient as the message does.
/// `delivery_events_message_idx` serves this.
pub(super) async fn of_messages(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    messages: &[Uuid],
    names: &[String],
) -> Result<u64, Error> {
    let update = format!(
        "update delivery_events e set recipient = t.name, recipient_key = t.name, {NOTHING}
         from unnest($3::uuid[], $4::text[]) as t(message_id, name)
         where e.message_id = t.message_id and e.tenant_id = $1 and e.recipient_key = $2"
    );
    let statement = transaction.prepare_cached(&update).await?;
    Ok(transaction.execute(&statement, &[&tenant.0, &key, &messages, &names]).await?)
}

/// Erases a page of all others, but for those of messages that are being sent; answers how many, and where to go on. One of
/// a message out of which the person was taken before names the same recipient as the message does.
/// `delivery_events_recipient_idx` serves this.
pub(super) async fn step(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    pending: &[Uuid],
    after: i64,
) -> Result<(u64, Option<i64>), Error> {
    let page = "select sequence, fingerprint, occurred_at from delivery_events
         where tenant_id = $1 and recipient_key collate \"C\" = $2 and sequence > $3
           and (message_id is null or message_id <> all($4))
         order by sequence limit $5";
    let statement = transaction.prepare_cached(page).await?;
    let page = transaction.query(&statement, &[&tenant.0, &key, &after, &pending, &MOST]).await?;
    let prints: Vec<&[u8]> = page.iter().map(|row| row.get("fingerprint")).collect();
    let times: Vec<jiff::Timestamp> = page.iter().map(|row| row.get("occurred_at")).collect();
    let update = format!(
        "update delivery_events e set recipient = t.name, recipient_key = t.name, {NOTHING}
         from (
             select d.fingerprint, d.occurred_at, coalesce((
                 select r.email_key from recipients r
                 where r.message_id = d.message_id and r.tenant_id is not distinct from $1
                   and r.provider_message_id::text = d.provider_message_id limit 1), $4) as name
             from unnest($2::bytea[], $3::timestamptz[]) as u(fingerprint, occurred_at)
             join delivery_events d
                 on d.tenant_id = $1 and d.fingerprint = u.fingerprint and d.occurred_at = u.occurred_at
         ) t
         where e.tenant_id = $1 and e.fingerprint = t.fingerprint and e.occurred_at = t.occurred_at"
    );
    let statement = transaction.prepare_cached(&update).await?;
    let erased = transaction.execute(&statement, &[&tenant.0, &prints, &times, &NOBODY]).await?;
    let full = i64::try_from(page.len()).is_ok_and(|count| count >= MOST);
    Ok((erased, page.last().filter(|_| full).map(|row| row.get("sequence"))))
}

//! Writing what today's rules make of stored items.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use domain::address::key_of;
use domain::{DeliveryEvent, EventId, EventKind, Status, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::Archived;
use super::find::FOUND;
use crate::lent::Transaction;
use crate::messages::{Move, apply, take_back};
use crate::suppressions::{Cause, suppress};
use crate::{Error, Store};

/// An event that is read differently now.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'a> {
    /// As it is stored.
    pub stored: &'a Archived,
    /// As it is read today.
    pub event: &'a DeliveryEvent,
}

impl Revision<'_> {
    /// Whether what the event once did may have to be taken back.
    fn unsettles(&self) -> bool {
        self.stored.recipient_status.is_some() && !self.stored.does_the_same(self.event)
    }
}

/// An address that stays suppressed for an event that no longer calls for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillSuppressed {
    /// The address.
    pub email: String,
    /// The reason that the event once gave.
    pub reason: String,
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revised {
    /// The sequences of the events that were written.
    pub written: HashSet<i64>,
    /// Addresses for a person to look at.
    pub still_suppressed: Vec<StillSuppressed>,
}

/// Id, sequence, arrival and raw item stay. A fingerprint that another event has already stays as it was: both are kept.
/// A link stays unless the item carries no id at all any more.
static REVISE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with i as materialized (
    select $1::uuid as tenant_id, $2::text as provider, t.*
    from unnest($3::bigint[], $4::timestamptz[], $5::bytea[], $6::text[], $7::uuid[], $8::text[], $9::text[],
                $10::smallint[], $11::text[], $12::uuid[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],
                $17::text[], $18::text[], $19::boolean[])
        as t(sequence, stored_at, fingerprint, kind, custom_id, recipient, recipient_key, recipient_status,
             provider_message_id, provider_message_uuid, occurred_at, reason, url, ip, geo, user_agent,
             means_the_same)
), n as materialized (
    select i.*, {FOUND} as message_id,
           exists (select 1 from delivery_events o where o.tenant_id = i.tenant_id and o.fingerprint = i.fingerprint)
               or row_number() over (partition by i.fingerprint order by i.sequence) > 1 as taken
    from i
)
update delivery_events e
set fingerprint = case when n.taken then e.fingerprint else n.fingerprint end,
    kind = n.kind, custom_id = n.custom_id, recipient = n.recipient, recipient_key = n.recipient_key,
    recipient_status = n.recipient_status, provider_message_id = n.provider_message_id,
    provider_message_uuid = n.provider_message_uuid, occurred_at = coalesce(n.occurred_at, e.occurred_at),
    reason = n.reason, url = n.url, ip = n.ip, geo = n.geo, user_agent = n.user_agent,
    message_id = coalesce(n.message_id, case when n.custom_id is not null or n.provider_message_id is not null
                                               or n.provider_message_uuid is not null then e.message_id end)
from n
where e.tenant_id = n.tenant_id and e.sequence = n.sequence and e.occurred_at = n.stored_at
  and not (n.taken and n.means_the_same)
returning e.sequence, e.tenant_id, e.message_id, e.recipient_key, e.recipient_status, e.kind"
    )
});

/// Writes a batch of one tenant and one provider in one transaction: the history, the statuses that follow from it, and
/// new suppressions. Statuses that rested on a reading that is given up are found anew from what is left. Nothing is
/// taken off the suppression list: whom it still holds for such a reading is answered, for a person to decide.
pub async fn revise(
    store: &Store,
    tenant: TenantId,
    provider: &str,
    revisions: &[Revision<'_>],
) -> Result<Revised, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    if revisions.iter().any(Revision::unsettles) {
        // An event that comes in now may find that it has nothing to add to a status that is about to be taken back.
        transaction.batch_execute("lock table delivery_events in share row exclusive mode").await?;
    }
    let rows = update(&transaction, tenant, provider, revisions).await?;
    apply(&transaction, &Move::of_linked(&rows)).await?;
    take_back(&transaction, tenant, &unsettled(&rows, revisions)).await?;
    let keys: Vec<String> = revisions.iter().map(|next| key_of(&next.event.recipient)).collect();
    // Somebody may have taken an address off the list on purpose: only what is read anew puts it there.
    let causes: Vec<Cause<'_>> = revisions
        .iter()
        .zip(&keys)
        .filter(|(Revision { stored, event }, key)| {
            stored.kind != event.kind.as_str()
                || stored.recipient_key != **key
                || stored.recipient_status.is_none()
        })
        .filter_map(|(Revision { stored, event }, email_key)| {
            let (email, reason) = (&event.recipient, event.effect.suppression?);
            Some(Cause { tenant, email, email_key, reason, event: EventId(stored.id) })
        })
        .collect();
    suppress(&transaction, &causes).await?;
    let still_suppressed = still_suppressed(&transaction, tenant, revisions).await?;
    transaction.commit().await?;
    Ok(Revised { written: rows.iter().map(|row| row.get("sequence")).collect(), still_suppressed })
}

/// Messages that events once moved and may move no more: those that they belonged to, and those that they do now.
fn unsettled(rows: &[Row], revisions: &[Revision<'_>]) -> Vec<Uuid> {
    let unsettling: HashMap<i64, Option<Uuid>> = revisions
        .iter()
        .filter(|revision| revision.unsettles())
        .map(|revision| (revision.stored.sequence, revision.stored.message_id))
        .collect();
    let now = rows.iter().filter(|row| unsettling.contains_key(&row.get("sequence")));
    let now = now.filter_map(|row| row.get("message_id"));
    let mut messages: Vec<Uuid> = unsettling.values().flatten().copied().chain(now).collect();
    messages.sort_unstable();
    messages.dedup();
    messages
}

async fn update(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    provider: &str,
    revisions: &[Revision<'_>],
) -> Result<Vec<Row>, Error> {
    fn column<'a, T>(revisions: &'a [Revision<'a>], of: impl Fn(&'a Revision<'a>) -> T) -> Vec<T> {
        revisions.iter().map(of).collect()
    }
    let text = |of: fn(&DeliveryEvent) -> Option<&str>| column(revisions, move |next| of(next.event));
    let statement = transaction.prepare_cached(&REVISE).await?;
    let rows = transaction
        .query(
            &statement,
            &[
                &tenant.0,
                &provider,
                &column(revisions, |next| next.stored.sequence),
                &column(revisions, |next| next.stored.occurred_at),
                &column(revisions, |next| &next.event.fingerprint.0[..]),
                &column(revisions, |next| next.event.kind.as_str()),
                &column(revisions, |next| next.event.message_id),
                &column(revisions, |next| next.event.recipient.as_str()),
                &column(revisions, |next| key_of(&next.event.recipient)),
                &column(revisions, |next| next.event.effect.status.map(Status::rank)),
                &text(|event| event.provider_message_id.as_deref()),
                &column(revisions, |next| next.event.provider_message_uuid),
                &column(revisions, |next| next.event.occurred_at),
                &text(|event| event.reason.as_deref()),
                &text(|event| event.url.as_deref()),
                &text(|event| event.ip.as_deref()),
                &text(|event| event.geo.as_deref()),
                &text(|event| event.user_agent.as_deref()),
                &column(revisions, |next| next.stored.means_the_same(next.event)),
            ],
        )
        .await?;
    Ok(rows)
}

async fn still_suppressed(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    revisions: &[Revision<'_>],
) -> Result<Vec<StillSuppressed>, Error> {
    let mild: Vec<Uuid> = revisions
        .iter()
        .filter(|revision| revision.event.effect.suppression.is_none())
        .filter(|revision| revision.stored.kind != EventKind::Unknown.as_str())
        .map(|revision| revision.stored.id)
        .collect();
    let query = "select email, reason from suppressions where tenant_id = $1 and event_id = any($2) order by email_key";
    let rows = transaction.query(query, &[&tenant.0, &mild]).await?;
    Ok(rows
        .iter()
        .map(|row| StillSuppressed { email: row.get("email"), reason: row.get("reason") })
        .collect())
}

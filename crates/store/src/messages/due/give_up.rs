//! Giving up messages that never had an account that would take them, when their time is over.

use domain::{Reason, Status, TenantId};
use jiff::Timestamp;

use crate::{Error, Store};

/// Most messages that are looked at, and given up, at once.
const MOST: i64 = 1000;

const GIVE_UP: &str = "
with oldest as (
    select id, coalesce(retried_at, scheduled_at, created_at) as since from messages
    where tenant_id = $1 and due_at <= now() and due_at is not null and not asks and status < $3
    order by due_at limit $6 for update skip locked
), changed as (
    update messages m
    set status = $4, due_at = null, error_code = $7, error_message = $8, updated_at = now()
    from oldest o
    where m.id = o.id and m.tenant_id is not distinct from $1 and o.since < $2
    returning m.id
), marked as (
    update recipients r set status = $4
    from changed c
    where r.message_id = c.id and r.tenant_id is not distinct from $1 and r.status < $5
)
select count(*) as count from changed";

/// Fails those of a tenant's due messages that were to be sent before `before`, for this reason; answers how many there
/// were among the first that are due. Nobody holds a claim on them, so nothing can have been handed over since their last
/// attempt. `messages_to_send_by_tenant_idx` serves this.
pub async fn give_up(
    store: &Store,
    tenant: TenantId,
    before: Timestamp,
    reason: &Reason,
) -> Result<u64, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(GIVE_UP).await?;
    let [sending, failed, sent] = [Status::Sending, Status::Failed, Status::Sent].map(Status::rank);
    let row = client
        .query_one(
            &statement,
            &[&tenant.0, &before, &sending, &failed, &sent, &MOST, &reason.code, &reason.message],
        )
        .await?;
    Ok(row.get::<_, i64>("count").unsigned_abs())
}

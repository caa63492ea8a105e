//! What a tenant does to a message by hand: withdraw it, or try it once more.

use domain::{MessageId, Status, TenantId};

use crate::{Error, Store};

/// The condition stands in the statement that changes the message, so it holds against a worker that takes the message
/// at the same moment: one of the two waits for the other's row, looks at it again, and leaves it alone. The same goes
/// for its recipients, which have the same status until a worker has taken the message.
const CANCEL: &str = "
with changed as (
    update messages set status = $3, due_at = null, asks = false, updated_at = now()
    where id = $1 and tenant_id is not distinct from $2 and status in ($4, $5)
    returning id, tenant_id
), marked as (
    update recipients r set status = $3
    from changed c
    where r.message_id = c.id and r.tenant_id is not distinct from c.tenant_id and r.status in ($4, $5)
)
select 1 from changed";

/// Withdraws a message that nobody has begun to send, or that waits for another attempt; answers whether it did. Such a
/// message is not due any more, so no worker takes it.
pub async fn cancel(store: &Store, tenant: TenantId, id: MessageId) -> Result<bool, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(CANCEL).await?;
    let statuses = [Status::Canceled, Status::Scheduled, Status::Queued].map(Status::rank);
    let [canceled, scheduled, queued] = &statuses;
    let changed = client.query_opt(&statement, &[&id.0, &tenant.0, canceled, scheduled, queued]).await?;
    Ok(changed.is_some())
}

/// The error under which a message failed of which it was not found out whether the provider has it.
const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// The one way back from `failed`. A message of which it was not found out whether the provider has it goes back to
/// being asked for, or it might be sent twice.
const RETRY: &str = "
with changed as (
    update messages m
    set status = case when m.error_code = $6 then $5::smallint else $4::smallint end,
        asks = coalesce(m.error_code = $6, false),
        due_at = now(), look_ups = 0, error_code = null, error_message = null, retried_at = now(), updated_at = now()
    where m.id = $1 and m.tenant_id is not distinct from $2 and m.status = $3
      and exists (select from message_contents c where c.message_id = m.id and c.tenant_id = m.tenant_id)
    returning m.id, m.tenant_id, m.status
), marked as (
    update recipients r set status = c.status
    from changed c
    where r.message_id = c.id and r.tenant_id is not distinct from c.tenant_id and r.status = $3
)
select 1 from changed";

/// Has a message tried again that has failed and whose content is still there; answers whether it is.
pub async fn retry(store: &Store, tenant: TenantId, id: MessageId) -> Result<bool, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(RETRY).await?;
    let statuses = [Status::Failed, Status::Queued, Status::Sending].map(Status::rank);
    let [failed, queued, sending] = &statuses;
    let changed =
        client.query_opt(&statement, &[&id.0, &tenant.0, failed, queued, sending, &OUTCOME_UNKNOWN]).await?;
    Ok(changed.is_some())
}

//! Taking attempts of which nobody knows the outcome.

use std::time::Duration;

use domain::{MessageId, Status, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Store};

/// A message to ask for, leased to the caller: the process that claimed it has not told, or does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The attempt that is in question, from 1.
    pub attempt: u32,
    /// Since when it was to be sent.
    pub since: Timestamp,
    /// How often the provider was asked, and had not heard of this attempt.
    pub look_ups: u32,
    /// The digest of the account with which the attempt was made, if that is known.
    pub account: Option<Vec<u8>>,
}

const TAKE: &str = "
with picked as (
    select m.id, m.tenant_id, m.attempts
    from unnest($1::uuid[]) as w(tenant_id) cross join lateral (
        select id, tenant_id, attempts from messages
        where tenant_id = w.tenant_id and due_at <= now() and due_at is not null and asks and status = $4
        order by due_at limit $2 for update skip locked
    ) m
)
update messages m set due_at = now() + make_interval(secs => $3)
from picked p
left join attempts a on a.message_id = p.id and a.tenant_id = p.tenant_id and a.attempt = p.attempts
where m.id = p.id and m.tenant_id is not distinct from p.tenant_id
returning m.id, m.tenant_id, m.attempts, m.look_ups, a.account,
          coalesce(m.retried_at, m.scheduled_at, m.created_at) as since";

/// Takes up to `most` messages of each of `tenants` that are to be asked for now, each leased for `lease`; no other
/// worker gets one of them meanwhile. `messages_to_ask_by_tenant_idx` serves this.
pub async fn take_questions(
    store: &Store,
    tenants: &[TenantId],
    most: i64,
    lease: Duration,
) -> Result<Vec<Question>, Error> {
    let tenants: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
    let client = store.client().await?;
    let statement = client.prepare_cached(TAKE).await?;
    let sending = Status::Sending.rank();
    let rows = client.query(&statement, &[&tenants, &most, &lease.as_secs_f64(), &sending]).await?;
    let questions = rows.iter().map(|row| Question {
        id: MessageId(row.get("id")),
        tenant: TenantId(row.get("tenant_id")),
        attempt: row.get::<_, i32>("attempts").unsigned_abs(),
        since: row.get("since"),
        look_ups: row.get::<_, i32>("look_ups").unsigned_abs(),
        account: row.get("account"),
    });
    Ok(questions.collect())
}

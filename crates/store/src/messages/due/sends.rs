//! Taking messages that are to be sent now.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use domain::{MessageId, Status, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::providers::AccountDigest;
use crate::{Error, Store};

/// How much the caller has room for, of one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whose messages.
    pub tenant: TenantId,
    /// Most of them.
    pub most: u32,
    /// The account with which they are going to be sent.
    pub account: AccountDigest,
}

/// A message that the caller, and nobody else, is to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSend {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The number of the attempt that is now under way.
    pub attempt: u32,
    /// How many attempts there were with this one, from 1; those under which no call began do not count.
    pub tries: u32,
    /// Since when it was to be sent: when somebody asked for another try, else its scheduled time, else when it was
    /// accepted.
    pub since: Timestamp,
    /// Earlier attempts of which Mailjet gave no answer, and of which it then had not heard: the message may be what
    /// makes it fail.
    pub vanished: u32,
    /// Its content as it came from the queue; none if it aged out.
    pub content: Option<Bytes>,
    /// Keys of the recipients to leave out.
    pub left_out: HashSet<String>,
}

/// Each message is joined by key to what belongs to it, never one list of messages to another: of those the planner
/// believes that they are short, and would compare each with each.
///
/// The bytes of contents are summed up without reading them, the first message of each tenant before the second of any,
/// so that a few large messages of one are not in the way of another's; the first one, if it is small, is never left.
const TAKE: &str = "
with picked as (
    select m.id, m.tenant_id, m.status, m.due_at, w.account
    from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as w(tenant_id, most, account) cross join lateral (
        select id, tenant_id, status, due_at from messages
        where tenant_id = w.tenant_id and due_at <= now() and due_at is not null and not asks
        order by due_at limit w.most for update skip locked
    ) m
), ranked as (
    select p.*, octet_length(c.content) as size,
           row_number() over (partition by p.tenant_id order by p.due_at, p.id) as rank
    from picked p left join message_contents c on c.message_id = p.id and c.tenant_id = p.tenant_id
), sized as (
    select r.*, coalesce(sum(size) over (order by rank, due_at, id) - size, 0) as before from ranked r
), people as (
    select p.id, p.tenant_id, p.status, p.account, r.email_key,
           s.email_key is not null or r.status = $7::smallint as suppressed
    from sized p
    join recipients r on r.message_id = p.id and r.tenant_id is not distinct from p.tenant_id
    left join suppressions s on s.tenant_id = p.tenant_id and s.email_key = r.email_key
    where p.before < $4 or p.rank = 1 and p.size <= $9::bigint
), fates as (
    select id, tenant_id, status, account, bool_and(suppressed) as all_left_out,
           array_agg(email_key) filter (where suppressed) as left_out
    from people group by id, tenant_id, status, account
), moved as (
    update messages m
    set status = case when f.status <> $6::smallint and f.all_left_out then $7::smallint else $6::smallint end,
        attempts = m.attempts + case when f.status = $6::smallint or f.all_left_out then 0 else 1 end,
        look_ups = 0,
        due_at = case when f.status = $6::smallint or not f.all_left_out then now() + make_interval(secs => $5) end,
        asks = true,
        error_code = case when not f.all_left_out then m.error_code end,
        error_message = case when not f.all_left_out then m.error_message end,
        updated_at = now()
    from fates f
    where m.id = f.id and m.tenant_id is not distinct from f.tenant_id
    returning m.id, m.tenant_id, m.attempts, m.attempts - m.given_back as tries,
              coalesce(m.retried_at, m.scheduled_at, m.created_at) as since, m.status, f.status as was, f.account,
              f.left_out
), marked as (
    update recipients r
    set status = case when p.suppressed then $7::smallint else $6::smallint end
    from people p
    where r.message_id = p.id and r.tenant_id is not distinct from p.tenant_id and r.email_key = p.email_key
      and p.status <> $6::smallint and r.status < $8::smallint
), tried as (
    insert into attempts (message_id, attempt, tenant_id, account)
    select id, attempts, tenant_id, account from moved where was <> $6::smallint and status = $6::smallint
)
select m.id, m.tenant_id, m.attempts, m.tries, m.since, c.content, m.left_out,
       (select count(*) from attempts a
        where a.message_id = m.id and a.tenant_id = m.tenant_id and a.code = 'not_heard_of') as vanished
from moved m
left join message_contents c on c.message_id = m.id and c.tenant_id = m.tenant_id
where m.status = $6::smallint and m.was <> $6::smallint
order by m.since";

/// Bytes of a message that is taken whatever else is.
const SMALL: i64 = 64 * 1024;

/// Takes messages that are due, as many as are wanted of each tenant and `bytes` of content in all (and one more),
/// leased for `lease`; no other worker gets one of them meanwhile. `messages_to_send_by_tenant_idx` serves this.
///
/// A row that is `sending` already is not sent, whoever marked it so: it becomes one to ask for.
pub async fn take_sends(
    store: &Store,
    wanted: &[Wanted],
    bytes: usize,
    lease: Duration,
) -> Result<Vec<DueSend>, Error> {
    let tenants: Vec<_> = wanted.iter().map(|next| next.tenant.0).collect();
    let most: Vec<i64> = wanted.iter().map(|next| i64::from(next.most)).collect();
    let accounts: Vec<_> = wanted.iter().map(|next| next.account.as_bytes()).collect();
    let client = store.client().await?;
    let statement = client.prepare_cached(TAKE).await?;
    let rows = client
        .query(
            &statement,
            &[
                &tenants,
                &most,
                &accounts,
                &i64::try_from(bytes).unwrap_or(i64::MAX),
                &lease.as_secs_f64(),
                &Status::Sending.rank(),
                &Status::Suppressed.rank(),
                &Status::Sent.rank(),
                &SMALL,
            ],
        )
        .await?;
    Ok(rows.iter().map(due).collect())
}

fn due(row: &Row) -> DueSend {
    let content: Option<Vec<u8>> = row.get("content");
    let left_out: Option<Vec<String>> = row.get("left_out");
    DueSend {
        id: MessageId(row.get("id")),
        tenant: TenantId(row.get("tenant_id")),
        attempt: row.get::<_, i32>("attempts").unsigned_abs(),
        tries: row.get::<_, i32>("tries").unsigned_abs(),
        since: row.get("since"),
        vanished: u32::try_from(row.get::<_, i64>("vanished")).unwrap_or_default(),
        content: content.map(Bytes::from),
        left_out: left_out.unwrap_or_default().into_iter().collect(),
    }
}

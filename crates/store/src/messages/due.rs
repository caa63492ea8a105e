//! Taking on messages whose time has come: schedules, retries, and attempts whose outcome is to be found out.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use domain::{MessageId, Status, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::{Error, Store};

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Send it: it is claimed for the caller.
    Send {
        /// Its content as it came from the queue; none if it aged out.
        content: Option<Bytes>,
        /// Keys of the recipients to leave out.
        left_out: HashSet<String>,
    },
    /// Ask the provider what became of it: the process that claimed it has not told.
    Reconcile {
        /// How often the provider was asked, and had not heard of this attempt.
        look_ups: u32,
    },
}

/// A message that is due, leased to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The attempt that is now under way, from 1.
    pub attempt: u32,
    /// Since when it was to be sent: its scheduled time, or else when it was accepted.
    pub since: Timestamp,
    /// What to do.
    pub work: Work,
}

/// Which of what is due to take. The two have an index each, and wait for different things: a Mailjet that does not
/// answer questions must not hold up what is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages to send.
    Sends,
    /// Messages to ask for.
    Questions,
}

impl Kind {
    /// The condition of the index, to the letter.
    const fn condition(self) -> &'static str {
        match self {
            Self::Sends => "due_at is not null and not asks",
            Self::Questions => "due_at is not null and asks",
        }
    }
}

const TAKE: &str = "
with picked as (
    select id, tenant_id, status from messages
    where due_at <= now() and CONDITION order by due_at limit $1 for update skip locked
), people as (
    select r.message_id, r.email_key, s.email_key is not null or r.status = $4::smallint as suppressed
    from picked p
    join recipients r on r.message_id = p.id and r.tenant_id = p.tenant_id
    left join suppressions s on s.tenant_id = p.tenant_id and s.email_key = r.email_key
    where p.status <> $3::smallint
), fates as (
    select message_id, bool_and(suppressed) as all_left_out from people group by message_id
), moved as (
    update messages m
    set status = case when f.all_left_out then $4::smallint else $3::smallint end,
        attempts = m.attempts + case when p.status = $3::smallint or f.all_left_out then 0 else 1 end,
        look_ups = case when p.status = $3::smallint then m.look_ups else 0 end,
        due_at = case when f.all_left_out then null else now() + make_interval(secs => $2) end,
        asks = true,
        updated_at = now()
    from picked p left join fates f on f.message_id = p.id
    where m.id = p.id and m.tenant_id = p.tenant_id
    returning m.id, m.tenant_id, m.attempts, m.look_ups, coalesce(m.scheduled_at, m.created_at) as since, m.status, p.status as was
), marked as (
    update recipients r
    set status = case when p.suppressed then $4::smallint else $3::smallint end
    from people p join picked m on m.id = p.message_id
    where r.message_id = p.message_id and r.tenant_id = m.tenant_id and r.email_key = p.email_key
      and r.status < $5::smallint
), tried as (
    insert into attempts (message_id, attempt, tenant_id)
    select id, attempts, tenant_id from moved where was <> $3::smallint and status = $3::smallint
)
select m.id, m.tenant_id, m.attempts, m.look_ups, m.since, m.was, c.content,
       array(select email_key from people p where p.message_id = m.id and p.suppressed) as left_out
from moved m
left join message_contents c on c.message_id = m.id and c.tenant_id = m.tenant_id and m.was <> $3::smallint
where m.status = $3::smallint";

/// Takes up to `limit` messages that are due, each leased for `lease`; no other worker gets one of them meanwhile.
/// The indexes `messages_to_send_by_tenant_idx` and `messages_to_ask_by_tenant_idx` serve this, and hold only what is waiting.
pub async fn take_due(store: &Store, kind: Kind, limit: i64, lease: Duration) -> Result<Vec<Due>, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(&TAKE.replace("CONDITION", kind.condition())).await?;
    let rows = client
        .query(
            &statement,
            &[
                &limit,
                &lease.as_secs_f64(),
                &Status::Sending.rank(),
                &Status::Suppressed.rank(),
                &Status::Sent.rank(),
            ],
        )
        .await?;
    Ok(rows.iter().map(due).collect())
}

fn due(row: &Row) -> Due {
    let count = |column: &str| row.get::<_, i32>(column).unsigned_abs();
    let work = if row.get::<_, i16>("was") == Status::Sending.rank() {
        Work::Reconcile { look_ups: count("look_ups") }
    } else {
        let content: Option<Vec<u8>> = row.get("content");
        let left_out: Vec<String> = row.get("left_out");
        Work::Send { content: content.map(Bytes::from), left_out: left_out.into_iter().collect() }
    };
    Due {
        id: MessageId(row.get("id")),
        tenant: TenantId(row.get("tenant_id")),
        attempt: count("attempts"),
        since: row.get("since"),
        work,
    }
}

/// How long until the next message is due: zero when one is now, none when nothing waits.
pub async fn next_due(store: &Store, kind: Kind) -> Result<Option<Duration>, Error> {
    let client = store.client().await?;
    let statement = format!(
        "select greatest(extract(epoch from min(due_at) - now()), 0)::float8 as wait from messages where {}",
        kind.condition()
    );
    let statement = client.prepare_cached(&statement).await?;
    let wait: Option<f64> = client.query_one(&statement, &[]).await?.get("wait");
    Ok(wait.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

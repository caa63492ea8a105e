//! Moving statuses forward on the evidence of events.

use std::collections::HashSet;

use domain::{EventKind, Status, TenantId};
use futures_util::future::try_join3;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::Error;
use crate::lent::Transaction;

/// What one event does to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    /// The message; it was found within `tenant`.
    pub(crate) message: Uuid,
    /// Whose it is.
    pub(crate) tenant: Uuid,
    /// The recipient, as addresses are compared.
    pub(crate) email_key: String,
    /// The provider's number of the recipient's copy, if it was told.
    pub(crate) number: Option<i64>,
    /// Where the recipient's status goes, if that is forward.
    pub(crate) status: Option<i16>,
}

impl Move {
    /// What those events do that are linked. One that was not understood proves nothing.
    pub(crate) fn of_linked<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Self> {
        rows.into_iter()
            .filter(|row| row.get::<_, &str>("kind") != EventKind::Unknown.as_str())
            .filter_map(|row| {
                Some(Self {
                    message: row.get::<_, Option<Uuid>>("message_id")?,
                    tenant: row.get("tenant_id"),
                    email_key: row.get("recipient_key"),
                    // Of use only where the person was erased, from a message that was found before.
                    number: None,
                    status: row.get("recipient_status"),
                })
            })
            .collect()
    }
}

pub(crate) const LOCK: &str = "
select 1
from messages m join unnest($1::uuid[], $2::uuid[]) as t(id, tenant_id)
    on m.id = t.id and m.tenant_id is not distinct from t.tenant_id
order by m.id for no key update of m";

/// Of the messages that events name, those that have anything to gain: a recipient that goes forward, or no proof yet that
/// it was sent; and whether any event names somebody whom its message does not have, as after an erasure. Most events tell
/// nothing new (each open of a mail that was delivered), and cost no lock. What is read here without one can only have gone
/// further forward since: whoever takes a status back shuts out writers of events first. Locked in the order of their ids,
/// so that concurrent batches wait for each other in one direction only.
const LOCK_GAINING: &str = "
with gains as materialized (
    select t.message_id, r.status is null and t.status is not null as stranger
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[]) as t(message_id, tenant_id, email_key, status)
    cross join lateral (
        select status from messages where id = t.message_id and tenant_id is not distinct from t.tenant_id limit 1
    ) m
    left join lateral (
        select status from recipients
        where message_id = t.message_id and tenant_id is not distinct from t.tenant_id
          and email_key = t.email_key limit 1
    ) r on true
    where m.status < $5::smallint or r.status < t.status or (r.status is null and t.status is not null)
)
select m.id, m.status < $5::smallint as unproven, (select bool_or(stranger) from gains) as strangers
from messages m
where m.id = any(array(select message_id from gains))
order by m.id for no key update of m";

/// Each recipient that an event names: forward only.
const RECIPIENTS: &str = "
update recipients r set status = t.status
from (
    select message_id, tenant_id, email_key, max(status) as status
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[]) as t(message_id, tenant_id, email_key, status)
    group by message_id, tenant_id, email_key
) t
where r.message_id = t.message_id and r.tenant_id is not distinct from t.tenant_id and r.email_key = t.email_key
  and r.status < t.status";

/// Events name a person who was erased by the address, which the recipient has no more, and by the provider's number.
const ERASED: &str = "
update recipients r set status = t.status
from (
    select message_id, tenant_id, number, max(status) as status
    from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[]) as t(message_id, tenant_id, number, status)
    group by message_id, tenant_id, number
) t
where r.message_id = t.message_id and r.tenant_id is not distinct from t.tenant_id and r.provider_message_id = t.number
  and r.email_key like '%@erased.invalid' and r.status < t.status";

/// The other recipients of the same messages: any event proves that the provider took the whole message on.
const PROVEN: &str = "
update recipients r set status = $3
from (select distinct message_id, tenant_id from unnest($1::uuid[], $2::uuid[]) as t(message_id, tenant_id)) t
where r.message_id = t.message_id and r.tenant_id is not distinct from t.tenant_id and r.status < $3";

/// A message is as far as the most serious of its recipients; nothing is due any more once it was sent.
const MESSAGES: &str = "
update messages m
set status = r.status, due_at = null, error_code = null, error_message = null, updated_at = now()
from (select distinct message_id, tenant_id from unnest($1::uuid[], $2::uuid[]) as t(message_id, tenant_id)) t,
     lateral (
         select coalesce(max(status) filter (where status <> $3), $3) as status
         from recipients where message_id = t.message_id and tenant_id is not distinct from t.tenant_id
     ) r
where m.id = t.message_id and m.tenant_id is not distinct from t.tenant_id and m.status < r.status";

/// Applies what events do; all of them prove that their message was sent.
pub(crate) async fn apply(transaction: &Transaction<'_>, moves: &[Move]) -> Result<(), Error> {
    if moves.is_empty() {
        return Ok(());
    }
    let all = Columns::of(moves.iter());
    let sent = Status::Sent.rank();
    let lock = transaction.prepare_cached(LOCK_GAINING).await?;
    let gaining =
        transaction.query(&lock, &[&all.messages, &all.tenants, &all.keys, &all.statuses, &sent]).await?;
    if gaining.is_empty() {
        return Ok(());
    }
    let unproven = gaining.iter().any(|row| row.get("unproven"));
    let strangers = gaining.iter().any(|row| row.get("strangers"));
    let gaining: HashSet<Uuid> = gaining.iter().map(|row| row.get("id")).collect();
    let Columns { messages, tenants, keys, numbers, statuses } =
        Columns::of(moves.iter().filter(|next| gaining.contains(&next.message)));
    let (recipients, proven, settle) = try_join3(
        transaction.prepare_cached(RECIPIENTS),
        transaction.prepare_cached(PROVEN),
        transaction.prepare_cached(MESSAGES),
    )
    .await?;
    if strangers {
        let erased = transaction.prepare_cached(ERASED).await?;
        transaction.execute(&erased, &[&messages, &tenants, &numbers, &statuses]).await?;
    }
    let suppressed = Status::Suppressed.rank();
    // Polled together, these go out in this order in one round trip; each sees what those before it did.
    try_join3(
        transaction.execute(&recipients, &[&messages, &tenants, &keys, &statuses]),
        async {
            if unproven { transaction.execute(&proven, &[&messages, &tenants, &sent]).await } else { Ok(0) }
        },
        transaction.execute(&settle, &[&messages, &tenants, &suppressed]),
    )
    .await?;
    Ok(())
}

/// Moves, turned from rows into columns.
struct Columns<'a> {
    messages: Vec<Uuid>,
    tenants: Vec<Uuid>,
    keys: Vec<&'a str>,
    numbers: Vec<Option<i64>>,
    statuses: Vec<Option<i16>>,
}

impl<'a> Columns<'a> {
    fn of(moves: impl Iterator<Item = &'a Move>) -> Self {
        let mut columns = Self {
            messages: Vec::new(),
            tenants: Vec::new(),
            keys: Vec::new(),
            numbers: Vec::new(),
            statuses: Vec::new(),
        };
        for next in moves {
            columns.messages.push(next.message);
            columns.tenants.push(next.tenant);
            columns.keys.push(&next.email_key);
            columns.numbers.push(next.number);
            columns.statuses.push(next.status);
        }
        columns
    }
}

/// Recipients whose status came from events: what the events that are left say.
const RECIPIENTS_ANEW: &str = "
update recipients r set status = s.status
from (
    select r.message_id, r.tenant_id, r.email_key, greatest($3, max(e.recipient_status)) as status
    from recipients r
    left join delivery_events e
        on e.message_id = r.message_id and e.tenant_id = r.tenant_id and e.recipient_key = r.email_key
    where r.message_id = any($1) and r.tenant_id is not distinct from $2 and r.status between $3 and $4
    group by r.message_id, r.tenant_id, r.email_key
) s
where r.message_id = s.message_id and r.tenant_id is not distinct from s.tenant_id and r.email_key = s.email_key
  and r.status <> s.status";

const MESSAGES_ANEW: &str = "
update messages m set status = r.status, updated_at = now()
from (
    select message_id, max(status) as status from recipients
    where message_id = any($1) and tenant_id is not distinct from $2 and status <> $5
    group by message_id
) r
where m.id = r.message_id and m.tenant_id is not distinct from $2 and m.status between $3 and $4 and m.status <> r.status";

/// Finds the statuses of messages anew from their events: the one way back, for events that were misread.
pub(crate) async fn take_back(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    messages: &[Uuid],
) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let (sent, worst) = (Status::Sent.rank(), Status::Complained.rank());
    transaction.execute(LOCK, &[&messages, &vec![tenant.0; messages.len()]]).await?;
    transaction.execute(RECIPIENTS_ANEW, &[&messages, &tenant.0, &sent, &worst]).await?;
    let suppressed = Status::Suppressed.rank();
    transaction.execute(MESSAGES_ANEW, &[&messages, &tenant.0, &sent, &worst, &suppressed]).await?;
    Ok(())
}

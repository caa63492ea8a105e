//! Bodies that have aged out, and then the messages themselves.

use std::time::Duration;

use domain::{Status, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use super::Step;
use crate::{Error, Store};

/// Messages of one step.
const MOST: i64 = 200;
/// Bytes of content that one step deletes, and one message more: large values lie in thousands of pieces.
const BYTES: i64 = 64 * 1024 * 1024;

/// Statuses in which a message still has a way to go.
fn unsettled() -> Vec<i16> {
    [Status::Scheduled, Status::Queued, Status::Sending].map(Status::rank).to_vec()
}

/// A message is as old as the last time at which it was to be sent. One that is not old enough, or not settled, is put off
/// until it may be: so the next step, and the next turn, do not look at it again. Messages are locked before their
/// contents, as everywhere; one that somebody else has locked is left for the next turn.
const BODIES: &str = "
with oldest as materialized (
    select message_id, tenant_id, octet_length(content) as size, ages_from from message_contents
    where ages_from < now() - make_interval(secs => $1) order by ages_from, message_id limit $2
), few as materialized (
    select message_id, tenant_id
    from (select *, sum(size) over (order by ages_from, message_id) - size as before from oldest) o where before < $3
), locked as materialized (
    select m.id, m.tenant_id, m.status <> all($4::smallint[]) as settled,
           coalesce(m.retried_at, m.scheduled_at, m.created_at) as since
    from messages m join few f on m.id = f.message_id and m.tenant_id is not distinct from f.tenant_id
    order by m.id for no key update of m skip locked
), judged as (
    select id, tenant_id, settled, since, settled and since < now() - make_interval(secs => $1) as old from locked
), gone as (
    delete from message_contents c using judged j
    where c.message_id = j.id and c.tenant_id is not distinct from j.tenant_id and j.old returning 1
), lost as (
    delete from message_contents c using few f
    where c.message_id = f.message_id and c.tenant_id is not distinct from f.tenant_id
      and not exists (select from messages m where m.id = f.message_id) returning 1
), later as (
    update message_contents c
    set ages_from = case when j.settled then j.since
                         else now() - make_interval(secs => $1) + least(make_interval(secs => $1), interval '1 day') end
    from judged j
    where c.message_id = j.id and c.tenant_id is not distinct from j.tenant_id and not j.old returning 1
)
select (select count(*) from gone) + (select count(*) from lost) as removed, (select count(*) from later) as later,
       (select count(*) from oldest) as found";

/// Deletes bodies, with attachments and variables, of settled messages that were to be sent before `keep` ago.
/// `message_contents_age_idx` serves this.
pub async fn bodies(store: &Store, keep: Duration) -> Result<Step, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(BODIES).await?;
    let row = client.query_one(&statement, &[&keep.as_secs_f64(), &MOST, &BYTES, &unsettled()]).await?;
    let [removed, later, found] = ["removed", "later", "found"].map(|name| row.get::<_, i64>(name));
    // Where others hold locks on all that was found, there is nothing to gain by asking again at once.
    let more = removed + later > 0 && (found == MOST || removed + later < found);
    Ok(Step { removed: removed.unsigned_abs(), more })
}

/// Where a step ended: the age and id of a message.
pub type Place = (Timestamp, Uuid);

const OLDEST: &str = "
select id, created_at from messages
where tenant_id = $1 and created_at < now() - make_interval(secs => $2) and (created_at, id) > ($3, $4)
order by created_at, id limit $5";
const LOCK: &str = "
select id from messages
where id = any($1) and tenant_id is not distinct from $2 and status <> all($3::smallint[])
  and coalesce(retried_at, scheduled_at, created_at) < now() - make_interval(secs => $4)
order by id for update skip locked";
/// What belongs to messages, before they go themselves.
const DELETE: [&str; 6] = [
    "delete from message_tags t
     using (select tenant_id, created_at, id, unnest(tags) as tag from messages
            where id = any($1) and tenant_id is not distinct from $2) m
     where t.tenant_id = $2 and t.tag = m.tag and t.created_at = m.created_at and t.message_id = m.id",
    "delete from message_contents where message_id = any($1) and tenant_id is not distinct from $2",
    "delete from message_erasures where message_id = any($1) and tenant_id is not distinct from $2",
    "delete from attempts where message_id = any($1) and tenant_id is not distinct from $2",
    "delete from recipients where message_id = any($1) and tenant_id is not distinct from $2",
    "delete from messages where id = any($1) and tenant_id is not distinct from $2",
];

/// Deletes settled messages of a tenant that were to be sent before `keep` ago, with their recipients and attempts, after the
/// place `after`; answers also where to go on. `messages_created_idx` serves this, and the primary keys.
pub async fn messages(
    store: &Store,
    tenant: TenantId,
    keep: Duration,
    after: Option<Place>,
) -> Result<(Step, Option<Place>), Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let (at, id) = after.unwrap_or((Timestamp::UNIX_EPOCH, Uuid::nil()));
    let oldest = transaction.prepare_cached(OLDEST).await?;
    let oldest = transaction.query(&oldest, &[&tenant.0, &keep.as_secs_f64(), &at, &id, &MOST]).await?;
    let ids: Vec<Uuid> = oldest.iter().map(|row| row.get("id")).collect();
    let lock = transaction.prepare_cached(LOCK).await?;
    let locked = transaction.query(&lock, &[&ids, &tenant.0, &unsettled(), &keep.as_secs_f64()]).await?;
    let ids: Vec<Uuid> = locked.iter().map(|row| row.get("id")).collect();
    if !ids.is_empty() {
        for delete in DELETE {
            let delete = transaction.prepare_cached(delete).await?;
            transaction.execute(&delete, &[&ids, &tenant.0]).await?;
        }
    }
    transaction.commit().await?;
    let full = i64::try_from(oldest.len()).is_ok_and(|count| count >= MOST);
    let place = oldest.last().map(|row| (row.get("created_at"), row.get("id")));
    let removed = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    Ok((Step { removed, more: full }, place))
}

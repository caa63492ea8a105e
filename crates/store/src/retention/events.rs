//! Old events: whole months at once, and what lies outside the months one by one. What events once did to statuses stays.

use std::time::Duration;

use super::Step;
use crate::{Error, Store};

/// Rows of one step.
const MOST: i64 = 1_000;

/// The first moment that is kept by whole months: the month in which `keep` ago lies, and never later than last month,
/// which is created again where it is missing.
const KEPT_FROM: &str =
    "date_trunc('month', least(now() - make_interval(secs => $1), now() - interval '1 month')
    at time zone 'UTC') at time zone 'UTC'";

/// Drops the oldest month of events of which nothing is younger than `keep`. Everybody who reads or writes events has to
/// stand aside for that moment; where somebody does not within a third of a second, nobody is kept waiting any longer, and
/// this fails as what may work a little later.
pub async fn drop_month(store: &Store, keep: Duration) -> Result<Step, Error> {
    let mut client = store.client().await?;
    let query = format!(
        "select c.oid::regclass::text as name
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'delivery_events'::regclass and c.relname ~ '^delivery_events_[0-9]{{6}}$'
           and to_date(right(c.relname, 6), 'YYYYMM') < ({KEPT_FROM}) at time zone 'UTC'
         order by c.relname limit 1"
    );
    let Some(row) = client.query_opt(&query, &[&keep.as_secs_f64()]).await? else {
        return Ok(Step::default());
    };
    let name: String = row.get("name");
    let transaction = client.transaction().await?;
    // The name is the database's own, and quoted by it where it must be.
    transaction.batch_execute(&format!("set local lock_timeout = '300ms'; drop table {name}")).await?;
    transaction.commit().await?;
    tracing::info!(month = name, "a month of events dropped for its age");
    Ok(Step { removed: 1, more: true })
}

/// Deletes events that lie outside the months and happened before `keep` ago. `delivery_events_older_age_idx` serves this.
pub async fn older_events(store: &Store, keep: Duration) -> Result<Step, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(
            "delete from delivery_events_older where ctid = any(array(
                 select ctid from delivery_events_older
                 where occurred_at < now() - make_interval(secs => $1) order by occurred_at limit $2
             ))",
        )
        .await?;
    let removed = client.execute(&statement, &[&keep.as_secs_f64(), &MOST]).await?;
    Ok(Step { removed, more: removed == MOST.unsigned_abs() })
}

/// Deletes first times of events that named none, once their months are gone: as long as an event is there, its repeats
/// must find it. `untimed_events_age_idx` serves this.
pub async fn untimed_events(store: &Store, keep: Duration) -> Result<Step, Error> {
    let client = store.client().await?;
    let query = format!(
        "delete from untimed_events where ctid = any(array(
             select ctid from untimed_events where occurred_at < {KEPT_FROM} order by occurred_at limit $2
         ))"
    );
    let statement = client.prepare_cached(&query).await?;
    let removed = client.execute(&statement, &[&keep.as_secs_f64(), &MOST]).await?;
    Ok(Step { removed, more: removed == MOST.unsigned_abs() })
}

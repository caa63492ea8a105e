//! Table `chores`: which worker does what has to be done from time to time.

use std::time::Duration;

use crate::{Error, Store};

/// Takes a chore on, unless it was taken within the last `period`: of all workers that ask, one gets it. A worker that
/// then dies has skipped one turn.
pub async fn take(store: &Store, name: &str, period: Duration) -> Result<bool, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(
            "insert into chores as c (name, done_at) values ($1, now())
             on conflict on constraint chores_pkey do update set done_at = now()
             where c.done_at <= now() - make_interval(secs => $2)",
        )
        .await?;
    Ok(client.execute(&statement, &[&name, &period.as_secs_f64()]).await? == 1)
}

//! Deleting what has grown old, a little at a time: each call here is one short transaction. What is not settled is never
//! touched, whatever its age.

mod events;
mod messages;

use std::time::Duration;

use crate::{Error, Store};

pub use events::{drop_month, older_events, untimed_events};
pub use messages::{Place, bodies, messages};

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// Rows, or tables, that are gone.
    pub removed: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Entries of the audit log that are looked at in one step.
const ENTRIES: i64 = 1_000;

/// Deletes the oldest entries of the audit log that were written before `keep` ago. They are looked at in the order in which
/// they were written, so the primary key serves this, and nothing is looked at that is to stay but for the last step.
pub async fn audit_log(store: &Store, keep: Duration) -> Result<Step, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(
            "delete from audit_log where id = any(array(
                 select id from (select id, created_at from audit_log order by id limit $2) oldest
                 where created_at < now() - make_interval(secs => $1)
             ))",
        )
        .await?;
    let removed = client.execute(&statement, &[&keep.as_secs_f64(), &ENTRIES]).await?;
    Ok(Step { removed, more: removed == ENTRIES.unsigned_abs() })
}

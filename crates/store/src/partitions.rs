//! The months of `delivery_events`.

use crate::{Error, Store};

/// Months that exist ahead of the present one.
const AHEAD: i32 = 3;

/// Creates the partitions that are missing, and answers how many those were. Every worker calls this regularly; a
/// lock in the database lets one do the work.
pub async fn ensure(store: &Store) -> Result<u32, Error> {
    let client = store.client().await?;
    let created: i32 = client.query_one("select ensure_event_partitions($1)", &[&AHEAD]).await?.get(0);
    Ok(created.unsigned_abs())
}

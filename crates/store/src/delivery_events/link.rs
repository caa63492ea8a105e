//! Linking events whose message appeared after them.

use crate::messages::{Move, apply};
use crate::{Error, Store};

/// An event and the claim of its message that are committed at the same moment do not see each other. So a little
/// later the events of the last day are looked through again, newest first; the index `delivery_events_late_idx` holds
/// those.
/// Each is looked for by primary key: the `limit 1` keeps the planner from joining with all messages.
const LINK: &str = "
with unlinked as materialized (
    select custom_id, tenant_id from delivery_events
    where message_id is null and custom_id is not null
      and received_at > now() - interval '1 day' and occurred_at > now() - interval '40 days'
    order by received_at desc limit 10000
), known as materialized (
    select distinct u.custom_id, u.tenant_id from unlinked u
    cross join lateral (
        select 1 from messages m where m.id = u.custom_id and m.tenant_id = u.tenant_id limit 1
    ) found
)
update delivery_events e set message_id = k.custom_id
from known k
where e.message_id is null and e.custom_id = k.custom_id and e.tenant_id = k.tenant_id
returning e.message_id, e.tenant_id, e.recipient_key, e.recipient_status, e.kind";

/// Links what can be linked by now, and applies what those events do; answers how many they were.
pub async fn link(store: &Store) -> Result<usize, Error> {
    let mut client = store.client().await?;
    let statement = client.prepare_cached(LINK).await?;
    let transaction = client.transaction().await?;
    let rows = transaction.query(&statement, &[]).await?;
    apply(&transaction, &Move::of_linked(&rows)).await?;
    transaction.commit().await?;
    Ok(rows.len())
}

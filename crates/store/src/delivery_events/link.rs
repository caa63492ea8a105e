//! Linking events whose message appeared after them.

use crate::messages::{Move, apply};
use crate::{Error, Store};

/// An event and the claim of its message that are committed at the same moment do not see each other. So a little
/// later the events of the last hour are looked through again; the index `delivery_events_unlinked_idx` holds those.
const LINK: &str = "
update delivery_events e set message_id = m.id
from messages m
where e.message_id is null and e.custom_id = m.id and e.tenant_id = m.tenant_id
  and e.received_at > now() - interval '1 hour' and e.occurred_at > now() - interval '40 days'
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

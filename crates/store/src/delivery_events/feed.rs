//! A tenant's history as a feed that can be followed.

use domain::{EventKind, TenantId};

use super::read::{EventView, event, page};
use crate::{Error, Store};

/// Which events of the feed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this type.
    pub kind: Option<EventKind>,
    /// Only this recipient, as addresses are compared.
    pub recipient_key: Option<String>,
}

/// Up to `limit` events after the place `after`, in the order of their sequence; fewer where their raw items are large.
///
/// **Every event exactly once**, for a reader that goes on from the last sequence it was given. Numbers are given out
/// before their rows are committed, so rows may become visible in another order than their numbers'; a reader that took
/// whatever it saw would pass over those that commit late. Therefore each writer announces, before it draws a number
/// and until its transaction ends, the last number that was drawn before (`draw_event_numbers()` in `migrations/`), and
/// this reads no further than the lowest announcement (`event_feed_horizon()`): below it nothing is still to come. The
/// horizon is asked for in a statement of its own, so that the rows are read with a later snapshot: what a writer
/// committed before its announcement vanished is in it. Sequences never change, so nothing is repeated; they have gaps,
/// where a repeat of a known event drew a number in vain.
///
/// A writer that is slow holds the feed back, and loses nothing. Announcements are seen on the primary server only, so
/// this must not be asked of a replica.
///
/// The indexes `delivery_events_sequence_idx`, `delivery_events_recipient_idx` and `delivery_events_kind_idx` serve
/// this.
pub async fn feed(
    store: &Store,
    tenant: TenantId,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<EventView>, Error> {
    let client = store.client().await?;
    let horizon = client.prepare_cached("select event_feed_horizon()").await?;
    // What is not asked for does not stand in the statement, so that each has the plan of its index.
    let recipient =
        if filter.recipient_key.is_some() { "recipient_key collate \"C\" = $5" } else { "$5::text is null" };
    let kind = if filter.kind.is_some() { "kind collate \"C\" = $6" } else { "$6::text is null" };
    let query = page(
        &format!("tenant_id = $1 and sequence > $2 and sequence <= $3 and {recipient} and {kind}"),
        "sequence",
        "$4",
    );
    let statement = client.prepare_cached(&query).await?;
    let horizon: i64 = client.query_one(&horizon, &[]).await?.get(0);
    let kind = filter.kind.map(EventKind::as_str);
    let rows = client
        .query(&statement, &[&tenant.0, &after, &horizon, &limit, &filter.recipient_key, &kind])
        .await?;
    Ok(rows.iter().map(event).collect())
}

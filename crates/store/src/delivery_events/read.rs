//! Reading the history.

use domain::{MessageId, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Error, Store};

/// An event as its tenant may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Its id.
    pub id: Uuid,
    /// Its place in the tenant's history.
    pub sequence: i64,
    /// What happened; a name of `domain::EventKind`.
    pub kind: String,
    /// The message, if Raven sent it.
    pub message_id: Option<Uuid>,
    /// The address as the provider wrote it.
    pub recipient: String,
    /// Who told.
    pub provider: String,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was told.
    pub received_at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// The link.
    pub url: Option<String>,
    /// The network address.
    pub ip: Option<String>,
    /// The country.
    pub geo: Option<String>,
    /// The program.
    pub user_agent: Option<String>,
    /// The provider's JSON, to the letter.
    pub raw: String,
}

/// What [`EventView`] is made of.
const COLUMNS: &str = "id, sequence, kind, message_id, recipient, provider, provider_message_id, occurred_at,
    received_at, reason, url, ip, geo, user_agent, raw";
/// Bytes of raw items after which a page ends: one item may have megabytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A statement that reads up to `limit` rows in this order, and of these as many as begin within [`PAGE_BYTES`]; the first
/// always does. The column `found` tells how many there were.
pub(super) fn page(condition: &str, order: &str, limit: &str) -> String {
    format!(
        "select {COLUMNS}, found
         from (
             select *, count(*) over () as found,
                    sum(octet_length(raw)) over (order by {order}) - octet_length(raw) as before
             from (
                 select {COLUMNS} from delivery_events where {condition} order by {order} limit {limit}
             ) few
         ) measured
         where before < {PAGE_BYTES} order by {order}"
    )
}

/// The events of one message, oldest first, up to `limit` of them after the place `after`, and whether there are more.
/// Those of one second are in the order of their ids, which is that in which they came.
/// The index `delivery_events_message_idx` serves this.
pub async fn of_message(
    store: &Store,
    tenant: TenantId,
    message: MessageId,
    after: Option<(Timestamp, Uuid)>,
    limit: usize,
) -> Result<(Vec<EventView>, bool), Error> {
    let client = store.client().await?;
    let query = page(
        "message_id = $1 and tenant_id = $2
         and ($3::timestamptz is null or (occurred_at, id) > ($3, $4::uuid))",
        "occurred_at, id",
        "$5",
    );
    let statement = client.prepare_cached(&query).await?;
    let (at, id) = after.unzip();
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let rows = client.query(&statement, &[&message.0, &tenant.0, &at, &id, &one_more]).await?;
    let found = rows.first().map_or(0, |row| row.get::<_, i64>("found"));
    let views: Vec<EventView> = rows.iter().take(limit).map(event).collect();
    let more = i64::try_from(views.len()).is_ok_and(|shown| shown < found);
    Ok((views, more))
}

pub(super) fn event(row: &Row) -> EventView {
    EventView {
        id: row.get("id"),
        sequence: row.get("sequence"),
        kind: row.get("kind"),
        message_id: row.get("message_id"),
        recipient: row.get("recipient"),
        provider: row.get("provider"),
        provider_message_id: row.get("provider_message_id"),
        occurred_at: row.get("occurred_at"),
        received_at: row.get("received_at"),
        reason: row.get("reason"),
        url: row.get("url"),
        ip: row.get("ip"),
        geo: row.get("geo"),
        user_agent: row.get("user_agent"),
        raw: row.get("raw"),
    }
}

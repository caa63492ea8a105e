//! Reading the stored raw items again.

use domain::{DeliveryEvent, Status, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Error, Store};

/// An event as it is stored: what was understood of it, and the raw item.
#[derive(Debug, Clone)]
pub struct Archived {
    /// Its place in the history.
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// Who told.
    pub provider: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it was taken for; a name of `domain::EventKind`.
    pub kind: String,
    /// The provider's JSON, to the letter.
    pub raw: String,
    pub(super) occurred_at: Timestamp,
    pub(super) recipient_status: Option<i16>,
    pub(super) recipient_key: String,
    pub(super) message_id: Option<Uuid>,
    fingerprint: Vec<u8>,
    custom_id: Option<Uuid>,
    recipient: String,
    provider_message_id: Option<String>,
    provider_message_uuid: Option<Uuid>,
    details: [Option<String>; 5],
}

impl Archived {
    /// Whether today's rules read the raw item as it is stored.
    pub fn agrees_with(&self, event: &DeliveryEvent) -> bool {
        self.fingerprint == event.fingerprint.0 && self.means_the_same(event)
    }

    /// The same, but for the fingerprint, which tells nothing about the event itself.
    pub(super) fn means_the_same(&self, event: &DeliveryEvent) -> bool {
        let details = [&event.reason, &event.url, &event.ip, &event.geo, &event.user_agent];
        self.does_the_same(event)
            // An event without a time of its own keeps the one that it was given.
            && event.occurred_at.is_none_or(|at| at == self.occurred_at)
            && self.details.iter().zip(details).all(|(stored, read)| stored == read)
    }

    /// Whether it does the same, to the same recipient of the same message.
    pub(super) fn does_the_same(&self, event: &DeliveryEvent) -> bool {
        self.kind == event.kind.as_str()
            && self.recipient_status == event.effect.status.map(Status::rank)
            && self.recipient == event.recipient
            && self.custom_id == event.message_id
            && self.provider_message_id == event.provider_message_id
            && self.provider_message_uuid == event.provider_message_uuid
    }
}

/// The first and the last sequence of a tenant's events that happened since then, if there are any.
pub async fn span(store: &Store, tenant: TenantId, since: Timestamp) -> Result<Option<(i64, i64)>, Error> {
    let client = store.client().await?;
    let query = "select min(sequence) as first, max(sequence) as last from delivery_events
         where tenant_id = $1 and occurred_at >= $2";
    let row = client.query_one(query, &[&tenant.0, &since]).await?;
    Ok(row.get::<_, Option<i64>>("first").zip(row.get("last")))
}

/// Up to `limit` of a tenant's events that happened since then, after the place `after`, in the order of their sequence.
/// Those whose person was erased have nothing left to be read.
/// The index `delivery_events_sequence_idx` serves this, within the partitions of that time.
pub async fn archived(
    store: &Store,
    tenant: TenantId,
    since: Timestamp,
    after: i64,
    limit: i64,
) -> Result<Vec<Archived>, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(
            "select sequence, id, provider, received_at, kind, raw, occurred_at, recipient_status, recipient_key,
                    message_id, fingerprint, custom_id, recipient, provider_message_id, provider_message_uuid, reason, url, ip, geo, user_agent
             from delivery_events
             where tenant_id = $1 and occurred_at >= $2 and sequence > $3 and erased_at is null
             order by sequence limit $4",
        )
        .await?;
    let rows = client.query(&statement, &[&tenant.0, &since, &after, &limit]).await?;
    Ok(rows.iter().map(archived_row).collect())
}

fn archived_row(row: &Row) -> Archived {
    Archived {
        sequence: row.get("sequence"),
        id: row.get("id"),
        provider: row.get("provider"),
        received_at: row.get("received_at"),
        kind: row.get("kind"),
        raw: row.get("raw"),
        occurred_at: row.get("occurred_at"),
        recipient_status: row.get("recipient_status"),
        recipient_key: row.get("recipient_key"),
        message_id: row.get("message_id"),
        fingerprint: row.get("fingerprint"),
        custom_id: row.get("custom_id"),
        recipient: row.get("recipient"),
        provider_message_id: row.get("provider_message_id"),
        provider_message_uuid: row.get("provider_message_uuid"),
        details: ["reason", "url", "ip", "geo", "user_agent"].map(|column| row.get(column)),
    }
}

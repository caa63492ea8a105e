//! Reading one message.

use domain::{Mailbox, Message, MessageId, Status, TenantId};
use futures_util::future::try_join;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Error, Store};

/// Whom a message is from and to, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The sender, where the message names one.
    pub from: Option<Mailbox>,
    /// Who gets it.
    pub to: Vec<Mailbox>,
    /// Who gets a copy.
    pub cc: Vec<Mailbox>,
    /// Who gets a hidden copy.
    pub bcc: Vec<Mailbox>,
}

impl Envelope {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            from: message.from.clone(),
            to: message.to.clone(),
            cc: message.cc.clone(),
            bcc: message.bcc.clone(),
        }
    }
}

/// A message as its sender may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// What has become of it.
    pub status: Status,
    /// Whom it is from and to.
    pub envelope: Envelope,
    /// Its subject.
    pub subject: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata, as JSON.
    pub metadata: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was to be sent.
    pub scheduled_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// What is wrong, as code and words.
    pub error: Option<(String, String)>,
    /// What has become of each recipient.
    pub recipients: Vec<RecipientView>,
}

/// A recipient as the message's sender may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientView {
    /// The address as it was written.
    pub email: String,
    /// What has become of the mail to it.
    pub status: Status,
    /// The provider's id.
    pub provider_message_id: Option<i64>,
    /// The provider's UUID.
    pub provider_message_uuid: Option<Uuid>,
}

/// What [`MessageView`] is made of, but for its recipients and the sender that it gets from the provider.
pub(super) const COLUMNS: &str =
    "m.id, m.status, m.envelope, m.subject, m.tags, m.metadata, m.created_at, m.updated_at,
    m.scheduled_at, m.attempts - m.given_back as attempts, m.error_code, m.error_message";
/// What [`RecipientView`] is made of.
pub(super) const RECIPIENT_COLUMNS: &str = "email, status, provider_message_id, provider_message_uuid";

/// One message of a tenant. The primary keys serve both queries.
pub async fn get(store: &Store, tenant: TenantId, id: MessageId) -> Result<Option<MessageView>, Error> {
    let client = store.client().await?;
    let message = format!(
        "select {COLUMNS}, p.from_email, p.from_name
         from messages m left join providers p on p.tenant_id = m.tenant_id and p.provider = $3
         where m.id = $1 and m.tenant_id is not distinct from $2"
    );
    let recipients = format!(
        "select {RECIPIENT_COLUMNS} from recipients where message_id = $1 and tenant_id is not distinct from $2 order by position"
    );
    let (message, recipients) =
        try_join(client.prepare_cached(&message), client.prepare_cached(&recipients)).await?;
    let (row, recipients) = try_join(
        client.query_opt(&message, &[&id.0, &tenant.0, &crate::providers::MAILJET]),
        client.query(&recipients, &[&id.0, &tenant.0]),
    )
    .await?;
    let Some(row) = row else { return Ok(None) };
    message_view(&row, recipients.iter().map(recipient).collect::<Result<_, _>>()?).map(Some)
}

/// A row of [`COLUMNS`], `from_email` and `from_name`.
pub(super) fn message_view(row: &Row, recipients: Vec<RecipientView>) -> Result<MessageView, Error> {
    let code: Option<String> = row.get("error_code");
    let words: Option<String> = row.get("error_message");
    Ok(MessageView {
        id: MessageId(row.get("id")),
        status: status(row, "messages.status")?,
        envelope: envelope(row)?,
        subject: row.get("subject"),
        tags: row.get("tags"),
        metadata: row.get("metadata"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        scheduled_at: row.get("scheduled_at"),
        attempts: row.get::<_, i32>("attempts").unsigned_abs(),
        error: code.zip(words),
        recipients,
    })
}

/// A message that names no sender is sent from the account's own, which is shown as it is now.
fn envelope(row: &Row) -> Result<Envelope, Error> {
    let unreadable = |_| Error::Unreadable { column: "messages.envelope" };
    let mut envelope: Envelope = serde_json::from_str(row.get("envelope")).map_err(unreadable)?;
    if let (None, Some(email)) = (&envelope.from, row.get::<_, Option<&str>>("from_email")) {
        envelope.from = Mailbox::new(email, row.get("from_name")).ok();
    }
    Ok(envelope)
}

/// A row of [`RECIPIENT_COLUMNS`].
pub(super) fn recipient(row: &Row) -> Result<RecipientView, Error> {
    Ok(RecipientView {
        email: row.get("email"),
        status: status(row, "recipients.status")?,
        provider_message_id: row.get("provider_message_id"),
        provider_message_uuid: row.get("provider_message_uuid"),
    })
}

fn status(row: &Row, column: &'static str) -> Result<Status, Error> {
    Status::from_rank(row.get("status")).ok_or(Error::Unreadable { column })
}

/// The digest of a stored message's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// By which another body under the same idempotency key is found out.
    pub digest: String,
    /// Whether the message waits for its time.
    pub scheduled: bool,
}

/// What request a message came from, if it is stored.
pub async fn digest(store: &Store, tenant: TenantId, id: MessageId) -> Result<Option<Digest>, Error> {
    let client = store.client().await?;
    let statement = client
        .prepare_cached(
            "select digest, scheduled_at from messages where id = $1 and tenant_id is not distinct from $2",
        )
        .await?;
    let row = client.query_opt(&statement, &[&id.0, &tenant.0]).await?;
    Ok(row.map(|row| Digest {
        digest: row.get("digest"),
        scheduled: row.get::<_, Option<Timestamp>>("scheduled_at").is_some(),
    }))
}

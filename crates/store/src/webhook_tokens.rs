//! Table `webhook_tokens`: those made by hand. Those that Raven makes itself are in `managed_tokens.rs`.

use domain::webhook_token::WebhookToken;
use domain::{Action, Actor, TenantId, TokenId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::{Error, Store};

/// Tokens that a tenant may have at once: the one in use, and its successor.
pub const MOST_LIVE: i64 = 2;

/// What is known of a token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its id.
    pub id: TokenId,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Whether Raven made it for the webhooks that it registers.
    pub managed: bool,
}

/// What came of revoking a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked.
    Done,
    /// The tenant has no such live token.
    Unknown,
    /// It belongs to the webhooks that Raven registers, and goes with them.
    Managed,
}

/// Stores the hash of a new token; answers when, or nothing if the tenant has [`MOST_LIVE`] already.
pub async fn create(
    store: &Store,
    tenant: TenantId,
    id: TokenId,
    token: &WebhookToken,
    by: Actor,
) -> Result<Option<Timestamp>, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    // Two requests at once must not both find room.
    transaction.execute("select 1 from tenants where id = $1 for update", &[&tenant.0]).await?;
    let row = transaction
        .query_opt(
            "insert into webhook_tokens (id, tenant_id, token_hash)
             select $1, $2, $3
             where (select count(*) from webhook_tokens where tenant_id = $2 and revoked_at is null
                                                         and not managed) < $4
             returning created_at",
            &[&id.0, &tenant.0, &&token.hash().0[..], &MOST_LIVE],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    note(&transaction, tenant, id, (by, Action::WebhookTokenCreated)).await?;
    transaction.commit().await?;
    Ok(Some(row.get("created_at")))
}

/// The live tokens of a tenant, oldest first.
pub async fn list(store: &Store, tenant: TenantId) -> Result<Vec<TokenInfo>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            "select id, created_at, managed from webhook_tokens
             where tenant_id = $1 and revoked_at is null order by created_at, id",
            &[&tenant.0],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| TokenInfo {
            id: TokenId(row.get::<_, Uuid>("id")),
            created_at: row.get("created_at"),
            managed: row.get("managed"),
        })
        .collect())
}

/// Revokes a token made by hand.
pub async fn revoke(store: &Store, tenant: TenantId, id: TokenId, by: Actor) -> Result<Revoked, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_opt(
            "select managed from webhook_tokens
             where tenant_id = $1 and id = $2 and revoked_at is null for update",
            &[&tenant.0, &id.0],
        )
        .await?;
    match row.map(|row| row.get::<_, bool>("managed")) {
        None => return Ok(Revoked::Unknown),
        Some(true) => return Ok(Revoked::Managed),
        Some(false) => {}
    }
    transaction
        .execute(
            "update webhook_tokens set revoked_at = now() where tenant_id = $1 and id = $2",
            &[&tenant.0, &id.0],
        )
        .await?;
    note(&transaction, tenant, id, (by, Action::WebhookTokenRevoked)).await?;
    transaction.commit().await?;
    Ok(Revoked::Done)
}

pub(crate) async fn note(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    id: TokenId,
    (actor, action): (Actor, Action),
) -> Result<(), Error> {
    audit::record(transaction, Entry { tenant, actor, action, subject: &id.to_string(), detail: None }).await
}

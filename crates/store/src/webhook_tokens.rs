//! Table `webhook_tokens`.

use deadpool_postgres::Transaction;
use domain::webhook_token::WebhookToken;
use domain::{Action, Actor, TenantId, TokenId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{self, Entry};
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
             where (select count(*) from webhook_tokens where tenant_id = $2 and revoked_at is null) < $4
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
            "select id, created_at from webhook_tokens
             where tenant_id = $1 and revoked_at is null order by created_at, id",
            &[&tenant.0],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| TokenInfo { id: TokenId(row.get::<_, Uuid>("id")), created_at: row.get("created_at") })
        .collect())
}

/// Revokes a token; answers whether the tenant had it.
pub async fn revoke(store: &Store, tenant: TenantId, id: TokenId, by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let revoked = transaction
        .execute(
            "update webhook_tokens set revoked_at = now()
             where tenant_id = $1 and id = $2 and revoked_at is null",
            &[&tenant.0, &id.0],
        )
        .await?;
    if revoked == 1 {
        note(&transaction, tenant, id, (by, Action::WebhookTokenRevoked)).await?;
        transaction.commit().await?;
    }
    Ok(revoked == 1)
}

async fn note(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    id: TokenId,
    (actor, action): (Actor, Action),
) -> Result<(), Error> {
    audit::record(transaction, Entry { tenant, actor, action, subject: &id.to_string(), detail: None }).await
}

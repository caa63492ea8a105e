//! Table `webhook_tokens`: those that Raven makes for the webhooks that it registers itself.
//!
//! A token lives while a URL at the provider carries it, and for a grace after that, in which the provider may still repeat
//! what it had under way.

use std::time::Duration;

use deadpool_postgres::Transaction;
use domain::api_key::SecretHash;
use domain::webhook_token::WebhookToken;
use domain::{Action, Actor, TenantId, TokenId};
use uuid::Uuid;

use crate::webhook_tokens::note;
use crate::{Error, Store};

/// Tokens that a tenant may have at once. Each webhook is compared with all of them, so they must stay few; of more, those
/// that have gone unused for longest are revoked before their grace is over.
pub const MOST_LIVE: i64 = 16;

/// A live token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedToken {
    /// Its id.
    pub id: TokenId,
    /// What tells that a URL carries it.
    pub hash: SecretHash,
    /// Whether no URL did when they were last looked at.
    pub is_unused: bool,
}

/// Stores the hash of a new token.
pub async fn create(
    store: &Store,
    tenant: TenantId,
    id: TokenId,
    token: &WebhookToken,
    by: Actor,
) -> Result<(), Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into webhook_tokens (id, tenant_id, token_hash, managed) values ($1, $2, $3, true)",
            &[&id.0, &tenant.0, &&token.hash().0[..]],
        )
        .await?;
    note(&transaction, tenant, id, (by, Action::WebhookTokenCreated)).await?;
    let surplus = transaction
        .query(
            "update webhook_tokens set revoked_at = now() where tenant_id = $1 and id in (
                 select id from webhook_tokens
                 where tenant_id = $1 and managed and revoked_at is null and id <> $2
                 order by (unused_since is null) desc, unused_since desc, created_at desc
                 offset $3)
             returning id",
            &[&tenant.0, &id.0, &(MOST_LIVE - 1)],
        )
        .await?;
    for row in surplus {
        note(&transaction, tenant, TokenId(row.get("id")), (by, Action::WebhookTokenRevoked)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The live tokens of a tenant.
pub async fn live(store: &Store, tenant: TenantId) -> Result<Vec<ManagedToken>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            "select id, token_hash, unused_since is not null as is_unused from webhook_tokens
             where tenant_id = $1 and managed and revoked_at is null",
            &[&tenant.0],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let hash = row.get::<_, &[u8]>("token_hash").try_into();
            let hash = hash.map_err(|_| Error::Unreadable { column: "webhook_tokens.token_hash" })?;
            Ok(ManagedToken {
                id: TokenId(row.get("id")),
                hash: SecretHash(hash),
                is_unused: row.get("is_unused"),
            })
        })
        .collect()
}

/// Notes which of its live tokens URLs carry: the others' grace begins. `known` are all that were looked at; a token that
/// was made meanwhile is left alone.
pub async fn note_use(
    store: &Store,
    tenant: TenantId,
    known: &[ManagedToken],
    used: &[TokenId],
) -> Result<(), Error> {
    let ids = |wanted: &dyn Fn(&ManagedToken) -> bool| -> Vec<Uuid> {
        known.iter().filter(|token| wanted(token)).map(|token| token.id.0).collect()
    };
    let back = ids(&|token| token.is_unused && used.contains(&token.id));
    let gone = ids(&|token| !token.is_unused && !used.contains(&token.id));
    // Every statement on the table has all caches of tokens read again, so there is none without need.
    if back.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let client = store.client().await?;
    client
        .execute(
            "update webhook_tokens set unused_since = case when id = any($2::uuid[]) then null else now() end
             where tenant_id = $1 and revoked_at is null and id = any($2::uuid[] || $3::uuid[])",
            &[&tenant.0, &back, &gone],
        )
        .await?;
    Ok(())
}

/// Revokes tokens of any tenant that have gone unused for the grace; answers how many.
pub async fn revoke_unused(store: &Store, grace: Duration) -> Result<usize, Error> {
    let mut client = store.client().await?;
    let due = "select 1 from webhook_tokens
               where unused_since <= now() - make_interval(secs => $1) and revoked_at is null limit 1";
    let grace = grace.as_secs_f64();
    // Looked for first, since the statement below has all caches of tokens read again even where it finds nothing.
    if client.query_opt(due, &[&grace]).await?.is_none() {
        return Ok(0);
    }
    let transaction = client.transaction().await?;
    let rows = transaction
        .query(
            "update webhook_tokens set revoked_at = now()
             where managed and unused_since <= now() - make_interval(secs => $1) and revoked_at is null
             returning tenant_id, id",
            &[&grace],
        )
        .await?;
    for row in &rows {
        let (tenant, id) = (TenantId(row.get("tenant_id")), TokenId(row.get("id")));
        note(&transaction, tenant, id, (Actor::Worker, Action::WebhookTokenRevoked)).await?;
    }
    transaction.commit().await?;
    Ok(rows.len())
}

/// Revokes all of a tenant's, when the transaction counts.
pub(crate) async fn revoke_all(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    by: Actor,
) -> Result<(), Error> {
    let rows = transaction
        .query(
            "update webhook_tokens set revoked_at = now()
             where tenant_id = $1 and managed and revoked_at is null returning id",
            &[&tenant.0],
        )
        .await?;
    for row in rows {
        note(transaction, tenant, TokenId(row.get("id")), (by, Action::WebhookTokenRevoked)).await?;
    }
    Ok(())
}

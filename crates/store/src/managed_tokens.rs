//! Table `webhook_tokens`: those that Raven makes for the webhooks that it registers itself.
//!
//! A token lives while a URL at the provider carries it, and for a grace after that, in which the provider may still repeat
//! what it had under way. One that was just made counts as unused until a URL is known to carry it.

use std::time::Duration;

use domain::api_key::SecretHash;
use domain::webhook_token::WebhookToken;
use domain::{Action, Actor, TenantId, TokenId};
use uuid::Uuid;

use crate::lent::Transaction;
use crate::providers::AccountDigest;
use crate::webhook_tokens::note;
use crate::{Error, Store};

/// Tokens that a tenant may have at once. Each webhook is compared with all of them, so they must stay few; of more, those
/// that have gone unused for longest are revoked before their grace is over, and before them those that no URL is known to
/// have carried; those in use stay. There are fewer places for URLs.
pub const MOST_LIVE: i64 = 16;
/// The grace of tokens on an account that the tenant has exchanged for another: its URLs stay, and tell of mail that was
/// sent before, of which complaints may come for weeks.
pub const ELSEWHERE_GRACE: Duration = Duration::from_hours(30 * 24);
/// The shortest grace of a token that no URL was ever known to carry: one may do so without an answer that said so.
const DOUBT: Duration = Duration::from_hours(1);
/// Revoked tokens by which URLs are still known as ours.
const MOST_REVOKED: i64 = 64;

/// Tokens whose grace is over; $1, $2 and $3 are the three graces in seconds.
const OVER: &str = "managed and revoked_at is null
    and unused_since <= now() - make_interval(secs => case when elsewhere then greatest($1::float8, $2)
                                                           when carried_at is null then greatest($1, $3)
                                                           else $1 end)";

/// A token that Raven made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedToken {
    /// Its id.
    pub id: TokenId,
    /// What tells that a URL carries it.
    pub hash: SecretHash,
    /// Whether it is not revoked.
    pub is_live: bool,
    /// Whether no URL did when they were last looked at.
    pub is_unused: bool,
}

/// A token that is to be stored.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its id.
    pub id: TokenId,
    /// What is hashed.
    pub token: &'a WebhookToken,
    /// The account whose URLs are to carry it.
    pub account: AccountDigest,
}

/// Stores the hash of a new token, if the registration still has this revision; answers whether it has.
pub async fn create(
    store: &Store,
    (tenant, revision): (TenantId, i64),
    new: &NewToken<'_>,
    by: Actor,
) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    // The lock has a removal under way go first, or wait and then revoke this one too.
    let made = transaction
        .execute(
            "with registration as materialized (
                 select 1 from webhook_registrations where tenant_id = $2 and revision = $5 for share)
             insert into webhook_tokens (id, tenant_id, token_hash, managed, account_digest, unused_since)
             select $1, $2, $3, true, $4, now() from registration",
            &[&new.id.0, &tenant.0, &&new.token.hash().0[..], &new.account.as_bytes(), &revision],
        )
        .await?;
    if made == 0 {
        return Ok(false);
    }
    note(&transaction, tenant, new.id, (by, Action::WebhookTokenCreated)).await?;
    let surplus = transaction
        .query(
            "update webhook_tokens set revoked_at = now()
             where tenant_id = $1 and unused_since is not null and id in (
                 select id from webhook_tokens
                 where tenant_id = $1 and managed and revoked_at is null and id <> $2
                 order by (unused_since is null) desc, elsewhere desc, (carried_at is not null) desc,
                     unused_since desc
                 offset $3)
             returning id",
            &[&tenant.0, &new.id.0, &(MOST_LIVE - 1)],
        )
        .await?;
    for row in surplus {
        note(&transaction, tenant, TokenId(row.get("id")), (by, Action::WebhookTokenRevoked)).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Revokes a token that no URL came to carry.
pub async fn discard(store: &Store, tenant: TenantId, id: TokenId, by: Actor) -> Result<(), Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let revoked = transaction
        .execute(
            "update webhook_tokens set revoked_at = now()
             where tenant_id = $1 and id = $2 and managed and carried_at is null and revoked_at is null",
            &[&tenant.0, &id.0],
        )
        .await?;
    if revoked == 1 {
        note(&transaction, tenant, id, (by, Action::WebhookTokenRevoked)).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The live tokens of a tenant, and the last that were revoked.
pub async fn known(store: &Store, tenant: TenantId) -> Result<Vec<ManagedToken>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            "select id, token_hash, revoked_at is null as is_live, unused_since is not null as is_unused
             from webhook_tokens where tenant_id = $1 and managed
             order by revoked_at desc nulls first limit $2",
            &[&tenant.0, &(MOST_LIVE + MOST_REVOKED)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let hash = row.get::<_, &[u8]>("token_hash").try_into();
            let hash = hash.map_err(|_| Error::Unreadable { column: "webhook_tokens.token_hash" })?;
            Ok(ManagedToken {
                id: TokenId(row.get("id")),
                hash: SecretHash(hash),
                is_live: row.get("is_live"),
                is_unused: row.get("is_unused"),
            })
        })
        .collect()
}

/// Notes which of its live tokens the URLs of an account carry: the others' grace begins. `known` are all that were looked
/// at; a token that was made meanwhile is left alone.
pub async fn note_use(
    store: &Store,
    (tenant, account): (TenantId, AccountDigest),
    known: &[ManagedToken],
    used: &[TokenId],
) -> Result<(), Error> {
    let ids = |wanted: &dyn Fn(&ManagedToken) -> bool| -> Vec<Uuid> {
        known.iter().filter(|token| token.is_live && wanted(token)).map(|token| token.id.0).collect()
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
            "update webhook_tokens
             set unused_since = case when id = any($2::uuid[]) then null else now() end,
                 carried_at = case when id = any($2::uuid[]) then coalesce(carried_at, now()) else carried_at end,
                 account_digest = case when id = any($2::uuid[]) then $4 else account_digest end,
                 elsewhere = not id = any($2::uuid[]) and account_digest is distinct from $4
             where tenant_id = $1 and revoked_at is null and id = any($2::uuid[] || $3::uuid[])",
            &[&tenant.0, &back, &gone, &account.as_bytes()],
        )
        .await?;
    Ok(())
}

/// Revokes tokens of any tenant that have gone unused for the grace, or a longer one where URLs that cannot be looked at may
/// carry them; answers how many.
pub async fn revoke_unused(store: &Store, grace: Duration) -> Result<usize, Error> {
    let mut client = store.client().await?;
    let graces = [grace, ELSEWHERE_GRACE, DOUBT].map(|grace| grace.as_secs_f64());
    let [grace, elsewhere, doubt] = &graces;
    // Looked for first, since the statement below has all caches of tokens read again even where it finds nothing.
    let due = format!("select 1 from webhook_tokens where {OVER} limit 1");
    if client.query_opt(&due, &[grace, elsewhere, doubt]).await?.is_none() {
        return Ok(0);
    }
    let transaction = client.transaction().await?;
    let revoke = format!("update webhook_tokens set revoked_at = now() where {OVER} returning tenant_id, id");
    let rows = transaction.query(&revoke, &[grace, elsewhere, doubt]).await?;
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

//! Table `api_keys`.

use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Action, Actor, TenantId};
use jiff::Timestamp;

use crate::audit::{self, Entry};
use crate::{Error, Store};

/// The constraint that tells a key id that is taken.
pub const TAKEN: &str = "api_keys_pkey";

/// What is known of a key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its public part.
    pub id: KeyId,
    /// What it may be used for.
    pub scope: Scope,
    /// Whether its mail stays in the sandbox.
    pub test: bool,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it was last used, within a minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is no longer good.
    pub revoked_at: Option<Timestamp>,
}

/// Stores the hash of a new key; answers when.
pub async fn create(
    store: &Store,
    tenant: TenantId,
    key: &ApiKey,
    scope: Scope,
    by: Actor,
) -> Result<Timestamp, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let id = key.id.to_string();
    let row = transaction
        .query_one(
            "insert into api_keys (key_id, tenant_id, secret_hash, scope, test) values ($1, $2, $3, $4, $5)
             returning created_at",
            &[&id, &tenant.0, &&key.hash().0[..], &scope.as_str(), &key.test],
        )
        .await?;
    let detail = format!("scope {}{}", scope.as_str(), if key.test { ", test" } else { "" });
    let entry = Entry { tenant, actor: by, action: Action::KeyCreated, subject: &id, detail: Some(&detail) };
    audit::record(&transaction, entry).await?;
    transaction.commit().await?;
    Ok(row.get("created_at"))
}

/// The keys of a tenant, oldest first.
pub async fn list(store: &Store, tenant: TenantId) -> Result<Vec<KeyInfo>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            "select key_id, scope, test, created_at, last_used_at, revoked_at
             from api_keys where tenant_id = $1 order by created_at, key_id",
            &[&tenant.0],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let unreadable = |column| move |_| Error::Unreadable { column };
            Ok(KeyInfo {
                id: row.get::<_, &str>("key_id").parse().map_err(unreadable("api_keys.key_id"))?,
                scope: row.get::<_, &str>("scope").parse().map_err(unreadable("api_keys.scope"))?,
                test: row.get("test"),
                created_at: row.get("created_at"),
                last_used_at: row.get("last_used_at"),
                revoked_at: row.get("revoked_at"),
            })
        })
        .collect()
}

/// Revokes a key of `tenant`, or (without one) whoever's it is, which is the operator's right; answers whether it was good
/// before.
pub async fn revoke(store: &Store, tenant: Option<TenantId>, key: KeyId, by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let (id, owner) = (key.to_string(), tenant.map(|tenant| tenant.0));
    let row = transaction
        .query_opt(
            "update api_keys set revoked_at = now()
             where key_id = $1 and ($2::uuid is null or tenant_id = $2) and revoked_at is null
             returning tenant_id",
            &[&id, &owner],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let tenant = TenantId(row.get("tenant_id"));
    let entry = Entry { tenant, actor: by, action: Action::KeyRevoked, subject: &id, detail: None };
    audit::record(&transaction, entry).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Notes that keys were used, at most once a minute each; the loss of such a note in a crash is harmless.
pub async fn touch(store: &Store, keys: &[KeyId]) -> Result<(), Error> {
    let client = store.client().await?;
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    client
        .execute(
            "update api_keys set last_used_at = now()
             where key_id = any($1) and (last_used_at is null or last_used_at < now() - interval '1 minute')",
            &[&keys],
        )
        .await?;
    Ok(())
}

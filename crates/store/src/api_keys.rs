//! Table `api_keys`.

use domain::TenantId;
use domain::api_key::{ApiKey, KeyId, Scope};
use jiff::Timestamp;

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

/// Stores the hash of a new key.
pub async fn create(store: &Store, tenant: TenantId, key: &ApiKey, scope: Scope) -> Result<(), Error> {
    let client = store.client().await?;
    client
        .execute(
            "insert into api_keys (key_id, tenant_id, secret_hash, scope, test) values ($1, $2, $3, $4, $5)",
            &[&key.id.to_string(), &tenant.0, &&key.hash().0[..], &scope.as_str(), &key.test],
        )
        .await?;
    Ok(())
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

/// Revokes a key, whoever's it is (the operator's right); answers whether it was good before.
pub async fn revoke(store: &Store, key: KeyId) -> Result<bool, Error> {
    let client = store.client().await?;
    let revoked = client
        .execute(
            "update api_keys set revoked_at = now() where key_id = $1 and revoked_at is null",
            &[&key.to_string()],
        )
        .await?;
    Ok(revoked == 1)
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

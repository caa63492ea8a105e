//! Table `providers`: whose account sends for a tenant. Credentials are sealed here, on their way in.

use std::collections::HashMap;

use domain::{Action, Actor, TenantId};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::seal::Place;
use crate::sealed::seal;
use crate::{Error, Keyring, Store};

/// Characters of a secret that are shown.
const SHOWN: usize = 4;

/// The only provider so far.
pub const MAILJET: &str = "mailjet";

/// A tenant's account at a provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Whose it is.
    pub tenant: TenantId,
    /// The sender of messages that name none.
    pub from_email: String,
    /// The name beside it.
    pub from_name: Option<String>,
    /// The public half of the credentials.
    pub api_key: SecretString,
    /// The secret half.
    pub api_secret: SecretString,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What tells an account from another without naming it: the first bytes of a digest of its API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountDigest([u8; 16]);

impl AccountDigest {
    /// The digest of an API key.
    pub fn of(api_key: &SecretString) -> Self {
        let digest = Sha256::digest(api_key.expose_secret().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct NewProvider {
    /// The sender of messages that name none.
    pub from_email: String,
    /// The name beside it.
    pub from_name: Option<String>,
    /// The public half of the credentials.
    pub api_key: SecretString,
    /// The secret half.
    pub api_secret: SecretString,
}

/// The last characters, of secrets that are long enough not to be given away by them.
pub fn masked(secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    let count = secret.chars().count();
    let shown = if count >= 2 * SHOWN { SHOWN } else { 0 };
    let tail: String = secret.chars().skip(count - shown).collect();
    format!("****{tail}")
}

fn place(tenant: TenantId, column: &'static str) -> Place<'static> {
    Place { tenant, table: "providers", column, row: MAILJET }
}

/// Sets the account of a tenant, in place of an earlier one.
pub async fn put(
    store: &Store,
    ring: &Keyring,
    tenant: TenantId,
    new: &NewProvider,
    by: Actor,
) -> Result<(), Error> {
    let key = seal(ring, place(tenant, "api_key_sealed"), &new.api_key)?;
    let secret = seal(ring, place(tenant, "api_secret_sealed"), &new.api_secret)?;
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into providers (tenant_id, provider, from_email, from_name, api_key_sealed, api_secret_sealed)
             values ($1, $2, $3, $4, $5, $6)
             on conflict on constraint providers_pkey do update
             set from_email = excluded.from_email, from_name = excluded.from_name,
                 api_key_sealed = excluded.api_key_sealed, api_secret_sealed = excluded.api_secret_sealed,
                 updated_at = now()",
            &[&tenant.0, &MAILJET, &new.from_email, &new.from_name, &key, &secret],
        )
        .await?;
    audit::record(&transaction, entry(tenant, by, Action::ProviderSet)).await?;
    transaction.commit().await?;
    Ok(())
}

/// The account of a tenant, if it has one.
pub async fn get(store: &Store, ring: &Keyring, tenant: TenantId) -> Result<Option<Provider>, Error> {
    get_many(store, ring, &[tenant]).await?.remove(&tenant).transpose()
}

/// The accounts of those of `tenants` that have one. Credentials of one that do not open are an error of that one.
pub async fn get_many(
    store: &Store,
    ring: &Keyring,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, Result<Provider, Error>>, Error> {
    let client = store.client().await?;
    let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
    let statement = client
        .prepare_cached(
            "select tenant_id, from_email, from_name, api_key_sealed, api_secret_sealed, updated_at
             from providers where tenant_id = any($1) and provider = $2",
        )
        .await?;
    let rows = client.query(&statement, &[&ids, &MAILJET]).await?;
    Ok(rows.iter().map(|row| (TenantId(row.get("tenant_id")), provider(row, ring))).collect())
}

fn provider(row: &Row, ring: &Keyring) -> Result<Provider, Error> {
    let tenant = TenantId(row.get::<_, Uuid>("tenant_id"));
    Ok(Provider {
        tenant,
        from_email: row.get("from_email"),
        from_name: row.get("from_name"),
        api_key: ring.open(place(tenant, "api_key_sealed"), row.get("api_key_sealed"))?,
        api_secret: ring.open(place(tenant, "api_secret_sealed"), row.get("api_secret_sealed"))?,
        updated_at: row.get("updated_at"),
    })
}

/// Forgets the account of a tenant; answers whether it had one.
pub async fn delete(store: &Store, tenant: TenantId, by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let deleted = transaction
        .execute("delete from providers where tenant_id = $1 and provider = $2", &[&tenant.0, &MAILJET])
        .await?;
    if deleted == 1 {
        audit::record(&transaction, entry(tenant, by, Action::ProviderDeleted)).await?;
        transaction.commit().await?;
    }
    Ok(deleted == 1)
}

fn entry(tenant: TenantId, actor: Actor, action: Action) -> Entry<'static> {
    Entry { tenant, actor, action, subject: MAILJET, detail: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_show_little() {
        assert_eq!(masked(&"0123456789abcdef".into()), "****cdef");
        assert_eq!(masked(&"short".into()), "****");
    }
}

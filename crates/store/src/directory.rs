//! What the caches of ingest are filled from: keys, tenants and tokens, and the version that tells when one changed.

use domain::TenantId;
use domain::api_key::{KeyId, Scope, SecretHash};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Error, Store};

/// A key as ingest needs it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The hash of the whole key.
    pub hash: SecretHash,
    /// What it may be used for.
    pub scope: Scope,
    /// Whether its mail stays in the sandbox.
    pub test: bool,
}

/// A tenant as ingest needs it.
#[derive(Debug, Clone)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// The hashes of its live webhook tokens; none while none of them is demanded, since at most some were made for
    /// webhooks that Mailjet has not taken yet.
    pub tokens: Vec<SecretHash>,
}

/// A number that changes whenever a key, a tenant or a token does.
pub async fn version(store: &Store) -> Result<i64, Error> {
    let client = store.client().await?;
    Ok(client.query_one("select version from directory_version", &[]).await?.get(0))
}

/// Those of `ids` that are good.
pub async fn keys(store: &Store, ids: &[KeyId]) -> Result<Vec<KeyRecord>, Error> {
    let client = store.client().await?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let statement = client
        .prepare_cached(
            "select key_id, tenant_id, secret_hash, scope, test
             from api_keys where key_id = any($1) and revoked_at is null",
        )
        .await?;
    client.query(&statement, &[&ids]).await?.iter().map(key_record).collect()
}

fn key_record(row: &Row) -> Result<KeyRecord, Error> {
    let unreadable = |column| move |_| Error::Unreadable { column };
    Ok(KeyRecord {
        id: row.get::<_, &str>("key_id").parse().map_err(unreadable("api_keys.key_id"))?,
        tenant: TenantId(row.get::<_, Uuid>("tenant_id")),
        hash: hash(row.get("secret_hash"), "api_keys.secret_hash")?,
        scope: row.get::<_, &str>("scope").parse().map_err(unreadable("api_keys.scope"))?,
        test: row.get("test"),
    })
}

fn hash(bytes: &[u8], column: &'static str) -> Result<SecretHash, Error> {
    bytes.try_into().map(SecretHash).map_err(|_| Error::Unreadable { column })
}

/// Those of `ids` that exist.
pub async fn tenants(store: &Store, ids: &[TenantId]) -> Result<Vec<TenantRecord>, Error> {
    let client = store.client().await?;
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let statement = client
        .prepare_cached(
            "select t.id, case when bool_or(not w.managed or w.carried_at is not null)
                               then array_agg(w.token_hash) else '{}' end as tokens
             from tenants t left join webhook_tokens w on w.tenant_id = t.id and w.revoked_at is null
             where t.id = any($1) group by t.id",
        )
        .await?;
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let tokens: Vec<Vec<u8>> = row.get("tokens");
            Ok(TenantRecord {
                id: TenantId(row.get::<_, Uuid>("id")),
                tokens: tokens
                    .iter()
                    .map(|bytes| hash(bytes, "webhook_tokens.token_hash"))
                    .collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

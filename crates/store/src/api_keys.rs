//! Table `api_keys`.

use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Action, Actor, KeyName, TenantId};
use jiff::Timestamp;

use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::{Error, Store};

/// Keys that a tenant may have at once.
pub const MOST_LIVE: i64 = 100;
/// Tries to find an id that is not taken; even with a million keys, two in a row are hardly ever needed.
const TRIES: usize = 8;

/// A key to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// What it may be used for.
    pub scope: Scope,
    /// Whether its mail stays in the sandbox.
    pub test: bool,
    /// What people call it.
    pub name: Option<&'a KeyName>,
}

/// A key that was made.
#[derive(Debug)]
pub struct Created {
    /// The key, whose secret is stored nowhere.
    pub key: ApiKey,
    /// Since when it exists.
    pub created_at: Timestamp,
}

/// What is known of a key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its public part.
    pub id: KeyId,
    /// What it may be used for.
    pub scope: Scope,
    /// Whether its mail stays in the sandbox.
    pub test: bool,
    /// What people call it.
    pub name: Option<String>,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it was last used, within a minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is no longer good.
    pub revoked_at: Option<Timestamp>,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the key there was created.
    pub created_at: Timestamp,
    /// The key there.
    pub id: KeyId,
}

/// Makes a key of random bytes and stores its hash; nothing, if the tenant has [`MOST_LIVE`] already.
pub async fn create(
    store: &Store,
    tenant: TenantId,
    new: NewKey<'_>,
    by: Actor,
) -> Result<Option<Created>, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    // Two requests at once must not both find room. Rows that only refer to the tenant go on being written.
    transaction.execute("select 1 from tenants where id = $1 for no key update", &[&tenant.0]).await?;
    let live: i64 = transaction
        .query_one("select count(*) from api_keys where tenant_id = $1 and revoked_at is null", &[&tenant.0])
        .await?
        .get(0);
    if live >= MOST_LIVE {
        return Ok(None);
    }
    let created = insert(&transaction, tenant, new).await?;
    let detail = format!("scope {}{}", new.scope.as_str(), if new.test { ", test" } else { "" });
    let id = created.key.id.to_string();
    let entry = Entry { tenant, actor: by, action: Action::KeyCreated, subject: &id, detail: Some(&detail) };
    audit::record(&transaction, entry).await?;
    transaction.commit().await?;
    Ok(Some(created))
}

/// Inserts a key under an id that nobody has.
async fn insert(transaction: &Transaction<'_>, tenant: TenantId, new: NewKey<'_>) -> Result<Created, Error> {
    let name = new.name.map(KeyName::as_str);
    for _ in 0..TRIES {
        let (mut id, mut secret) = ([0; 4], [0; 20]);
        getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret)).map_err(no_randomness)?;
        let key = ApiKey::from_random(u32::from_be_bytes(id), new.test, secret);
        let (scope, hash) = (new.scope.as_str(), key.hash());
        let row = transaction
            .query_opt(
                "insert into api_keys (key_id, tenant_id, secret_hash, scope, test, name)
                 values ($1, $2, $3, $4, $5, $6)
                 on conflict on constraint api_keys_pkey do nothing returning created_at",
                &[&key.id.to_string(), &tenant.0, &&hash.0[..], &scope, &new.test, &name],
            )
            .await?;
        if let Some(row) = row {
            return Ok(Created { key, created_at: row.get("created_at") });
        }
    }
    Err(Error::Constraint("api_keys_pkey".to_owned()))
}

fn no_randomness(fault: getrandom::Error) -> Error {
    Error::Unavailable(Box::new(fault))
}

/// Up to `limit` keys of a tenant beyond a place, newest first, revoked ones among them. `api_keys_tenant_idx` finds the
/// tenant's, which are few.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<KeyInfo>, Error> {
    let client = store.client().await?;
    let (before, id) = (after.map(|place| place.created_at), after.map(|place| place.id.to_string()));
    let rows = client
        .query(
            "select key_id, scope, test, name, created_at, last_used_at, revoked_at from api_keys
             where tenant_id = $1 and ($2::timestamptz is null or (created_at, key_id) < ($2, $3::text))
             order by created_at desc, key_id desc limit $4",
            &[&tenant.0, &before, &id, &limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let unreadable = |column| move |_| Error::Unreadable { column };
            Ok(KeyInfo {
                id: row.get::<_, &str>("key_id").parse().map_err(unreadable("api_keys.key_id"))?,
                scope: row.get::<_, &str>("scope").parse().map_err(unreadable("api_keys.scope"))?,
                test: row.get("test"),
                name: row.get("name"),
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

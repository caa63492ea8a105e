//! `raven key`.

use anyhow::Context as _;
use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Actor, KeyName, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use store::Store;
use store::api_keys::{self, NewKey};

use super::require;
use crate::args::{self, Key};
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(command: Key, store: &Store, output: Output) -> anyhow::Result<()> {
    match command {
        Key::Create { tenant, test, scope, name } => {
            let scope = match scope {
                args::Scope::Send => Scope::Send,
                args::Scope::Manage => Scope::Manage,
            };
            let name = KeyName::read(name.as_deref().unwrap_or_default())
                .map_err(|fault| Failure::Arguments(format!("--name {fault}")))?;
            require(store, tenant).await?;
            let key = make(store, tenant, NewKey { scope, test, name: name.as_ref() }).await?;
            let (id, key) = (key.id.to_string(), key.reveal());
            let name = name.as_ref().map(KeyName::as_str);
            output.one(&json!({ "keyId": id, "apiKey": key, "scope": scope.as_str(), "name": name }))
        }
        Key::List { tenant } => list(store, tenant, output).await,
        Key::Revoke { key } => revoke(store, named(&key)?, output).await,
    }
}

/// Makes and stores a key.
pub(super) async fn make(store: &Store, tenant: TenantId, new: NewKey<'_>) -> anyhow::Result<ApiKey> {
    let created =
        api_keys::create(store, tenant, new, Actor::Operator).await.context("the key was not created")?;
    let created = created
        .with_context(|| format!("the tenant has {} keys already; revoke one first", api_keys::MOST_LIVE))?;
    Ok(created.key)
}

async fn list(store: &Store, tenant: TenantId, output: Output) -> anyhow::Result<()> {
    require(store, tenant).await?;
    let keys = api_keys::list(store, tenant, None, i64::MAX).await.context("the keys were not listed")?;
    let rows = keys.into_iter().map(|key| {
        json!({
            "keyId": key.id.to_string(),
            "scope": key.scope.as_str(),
            "test": key.test,
            "name": key.name,
            "createdAt": key.created_at,
            "lastUsedAt": key.last_used_at,
            "revokedAt": key.revoked_at,
        })
    });
    let columns = ["keyId", "scope", "test", "name", "createdAt", "lastUsedAt", "revokedAt"];
    output.list(&rows.collect::<Vec<_>>(), &columns)
}

/// The key that is meant by its id, or by all of it. What is neither is not repeated: it may be a secret.
fn named(text: &SecretString) -> Result<KeyId, Failure> {
    let text = text.expose_secret();
    let id = text.parse().or_else(|_| ApiKey::parse(text).map(|key| key.id));
    id.map_err(|_| Failure::Arguments("KEY is neither eight hex digits nor a whole key".to_owned()))
}

async fn revoke(store: &Store, key: KeyId, output: Output) -> anyhow::Result<()> {
    let revoked =
        api_keys::revoke(store, None, key, Actor::Operator).await.context("the key was not revoked")?;
    if !revoked {
        return Err(Failure::NoSuchThing(format!("there is no key {key} that is not revoked already")).into());
    }
    output.one(&json!({ "data": [{ "keyId": key.to_string(), "revoked": true }] }))
}

//! `raven key`.

use anyhow::Context as _;
use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Actor, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use store::{Store, api_keys};

use super::require;
use crate::args::{self, Key};
use crate::failure::Failure;
use crate::output::Output;

/// Tries to find an id that is not taken; even with a million keys, two in a row are hardly ever needed.
const TRIES: usize = 8;

pub(super) async fn run(command: Key, store: &Store, output: Output) -> anyhow::Result<()> {
    match command {
        Key::Create { tenant, test, scope } => {
            let scope = match scope {
                args::Scope::Send => Scope::Send,
                args::Scope::Manage => Scope::Manage,
            };
            require(store, tenant).await?;
            let key = make(store, tenant, test, scope).await?;
            let (id, key) = (key.id.to_string(), key.reveal());
            output.one(&json!({ "keyId": id, "apiKey": key, "scope": scope.as_str() }))
        }
        Key::List { tenant } => list(store, tenant, output).await,
        Key::Revoke { key } => revoke(store, named(&key)?, output).await,
    }
}

/// Makes and stores a key.
pub(super) async fn make(
    store: &Store,
    tenant: TenantId,
    test: bool,
    scope: Scope,
) -> anyhow::Result<ApiKey> {
    for _ in 0..TRIES {
        let (mut id, mut secret) = ([0; 4], [0; 20]);
        getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret)).context("no randomness")?;
        let key = ApiKey::from_random(u32::from_be_bytes(id), test, secret);
        match api_keys::create(store, tenant, &key, scope, Actor::Operator).await {
            Ok(_) => return Ok(key),
            Err(fault) if fault.constraint() == Some(api_keys::TAKEN) => {}
            Err(fault) => return Err(fault).context("the key was not created"),
        }
    }
    anyhow::bail!("no free key id was found in {TRIES} tries")
}

async fn list(store: &Store, tenant: TenantId, output: Output) -> anyhow::Result<()> {
    require(store, tenant).await?;
    let keys = api_keys::list(store, tenant).await.context("the keys were not listed")?;
    let rows = keys.into_iter().map(|key| {
        json!({
            "keyId": key.id.to_string(),
            "scope": key.scope.as_str(),
            "test": key.test,
            "createdAt": key.created_at,
            "lastUsedAt": key.last_used_at,
            "revokedAt": key.revoked_at,
        })
    });
    output
        .list(&rows.collect::<Vec<_>>(), &["keyId", "scope", "test", "createdAt", "lastUsedAt", "revokedAt"])
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

//! `raven provider`.

use std::io::Read as _;

use anyhow::Context as _;
use domain::{Actor, Mailbox, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use service::Environment;
use store::Store;
use store::providers::{self, MAILJET, NewProvider, masked};
use zeroize::Zeroizing;

use super::{connection, keyring, require};
use crate::args::{Account, Provider};
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(
    command: Provider,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    match command {
        Provider::Set(account) => set(account, store, environment, output).await,
        Provider::Test(which) => connection::test(which.tenant, store, environment, output).await,
        Provider::Show(which) => show(which.tenant, store, environment, output).await,
        Provider::Delete(which) => delete(which.tenant, store, output).await,
    }
}

async fn set(
    account: Account,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let keyring = keyring(environment, store).await?;
    let Account { which, from_email, from_name, api_key, api_secret, api_secret_stdin } = account;
    let sender = Mailbox::new(&from_email, from_name.as_deref())
        .map_err(|fault| Failure::Arguments(format!("--from-email {from_email} {fault}")))?;
    let secret = if api_secret_stdin { from_stdin()? } else { api_secret.unwrap_or_default() };
    let (api_key, api_secret) = (trimmed(&api_key, "key")?, trimmed(&secret, "secret")?);
    require(store, which.tenant).await?;
    let new = NewProvider {
        from_email: sender.email.as_str().to_owned(),
        from_name: sender.name,
        api_key,
        api_secret,
    };
    providers::put(store, &keyring, which.tenant, &new, Actor::Operator)
        .await
        .context("the provider was not set")?;
    output.one(&json!({
        "tenantId": which.tenant,
        "provider": MAILJET,
        "fromEmail": new.from_email,
        "fromName": new.from_name,
    }))
}

async fn show(
    tenant: TenantId,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let keyring = keyring(environment, store).await?;
    require(store, tenant).await?;
    let account = providers::get(store, &keyring, tenant).await.context("the account was not read")?;
    let account = account.ok_or_else(|| none(tenant))?;
    output.one(&json!({
        "tenantId": tenant,
        "provider": MAILJET,
        "fromEmail": account.from_email,
        "fromName": account.from_name,
        "apiKey": masked(&account.api_key),
        "apiSecret": masked(&account.api_secret),
        "updatedAt": account.updated_at,
    }))
}

async fn delete(tenant: TenantId, store: &Store, output: Output) -> anyhow::Result<()> {
    require(store, tenant).await?;
    let had =
        providers::delete(store, tenant, Actor::Operator).await.context("the account was not deleted")?;
    if !had {
        return Err(none(tenant).into());
    }
    output.one(&json!({ "tenantId": tenant, "provider": MAILJET, "deleted": true }))
}

fn none(tenant: TenantId) -> Failure {
    Failure::NoSuchThing(format!("the tenant {tenant} has no account at {MAILJET}"))
}

/// Without the white space that copying brings along.
fn trimmed(secret: &SecretString, half: &str) -> Result<SecretString, Failure> {
    let text = secret.expose_secret().trim();
    if text.is_empty() {
        return Err(Failure::Arguments(format!("the API {half} is empty")));
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::Arguments(format!("the API {half} holds a control character")));
    }
    Ok(SecretString::from(text))
}

fn from_stdin() -> Result<SecretString, Failure> {
    let mut secret = Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut secret).map_err(|fault| {
        Failure::Arguments(format!("the secret was not read from standard input: {fault}"))
    })?;
    Ok(SecretString::from(secret.as_str()))
}

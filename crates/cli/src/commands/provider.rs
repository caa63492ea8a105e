//! `raven provider`.

use std::io::Read as _;

use anyhow::Context as _;
use domain::{Actor, Mailbox};
use secrecy::SecretString;
use serde_json::json;
use service::Environment;
use service::shared::ENCRYPTION_KEYS;
use store::providers::{self, MAILJET, NewProvider};
use store::{Keyring, Store};

use super::{connection, require};
use crate::args::Provider;
use crate::output::Output;

pub(super) async fn run(
    command: Provider,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    if let Provider::Test { tenant, provider: _ } = command {
        return connection::test(tenant, store, environment, output).await;
    }
    let Provider::Set { tenant, from_email, from_name, api_key, api_secret, api_secret_stdin, .. } = command
    else {
        return Ok(());
    };
    let keyring = environment.read(&ENCRYPTION_KEYS, Keyring::parse)?;
    let sender = Mailbox::new(&from_email, from_name.as_deref())
        .map_err(|fault| anyhow::anyhow!("--from-email {from_email} {fault}"))?;
    let secret = if api_secret_stdin { from_stdin()? } else { api_secret.unwrap_or_default() };
    anyhow::ensure!(!api_key.trim().is_empty(), "the API key is empty");
    anyhow::ensure!(!secret.trim().is_empty(), "the API secret is empty");
    require(store, tenant).await?;
    let new = NewProvider {
        from_email: sender.email.as_str().to_owned(),
        from_name: sender.name,
        api_key: SecretString::from(api_key.trim()),
        api_secret: SecretString::from(secret.trim()),
    };
    providers::put(store, &keyring, tenant, &new, Actor::Operator)
        .await
        .context("the provider was not set")?;
    output.one(&json!({
        "tenantId": tenant,
        "provider": MAILJET,
        "fromEmail": new.from_email,
        "fromName": new.from_name,
    }))
}

fn from_stdin() -> anyhow::Result<String> {
    let mut secret = String::new();
    std::io::stdin().read_to_string(&mut secret).context("the secret was not read from standard input")?;
    Ok(secret)
}

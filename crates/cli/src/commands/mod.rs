//! What each command does.

mod connection;
mod dead_letter;
mod events;
mod key;
mod provider;
mod tenant;
mod webhook;

use std::sync::Arc;

use anyhow::Context as _;
use domain::TenantId;
use provisioning::Provisioner;
use serde_json::json;
use service::Environment;
use service::settings::positive;
use service::shared::{DATABASE_URL, ENCRYPTION_KEYS, MAILJET_TIMEOUT, MAILJET_URL};
use store::{DatabaseUrl, Keyring, Store, migrate};

use crate::args::{Arguments, Command};
use crate::output::Output;

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let output = Output { json: arguments.json };
    match arguments.command {
        Command::Migrate => migrate(&open(environment)?, output).await,
        Command::Tenant(command) => tenant::run(command, &open(environment)?, output).await,
        Command::Key(command) => key::run(command, &open(environment)?, output).await,
        Command::Events(command) => events::run(command, &open(environment)?, output).await,
        Command::Provider(command) => provider::run(command, &open(environment)?, environment, output).await,
        Command::Webhook(command) => webhook::run(command, &open(environment)?, environment, output).await,
        Command::DeadLetter(command) => dead_letter::run(command, environment, output).await,
    }
}

/// The store, for commands that need it.
fn open(environment: &Environment) -> anyhow::Result<Store> {
    let url = environment.read(&DATABASE_URL, DatabaseUrl::parse)?;
    Ok(Store::new(url, 2).map_err(|fault| DATABASE_URL.invalid(fault.to_string()))?)
}

/// What commands that ask Mailjet need.
fn provisioner(store: &Store, environment: &Environment) -> anyhow::Result<Provisioner> {
    let keyring = environment.read(&ENCRYPTION_KEYS, Keyring::parse)?;
    let timeout = environment.read(&MAILJET_TIMEOUT, positive)?;
    let mailjet = environment.read(&MAILJET_URL, |text| mailjet::Client::new(text, timeout))?;
    Ok(Provisioner::new(store.clone(), Arc::new(keyring), mailjet))
}

async fn migrate(store: &Store, output: Output) -> anyhow::Result<()> {
    let applied = migrate::run(store).await.context("the database was not migrated")?;
    let names: Vec<String> =
        applied.iter().map(|migration| format!("V{}__{}", migration.version, migration.name)).collect();
    output.one(&json!({ "applied": names }))
}

/// Fails with a clear line when there is no such tenant.
async fn require(store: &Store, tenant: TenantId) -> anyhow::Result<()> {
    let exists = store::tenants::exists(store, tenant).await.context("the tenant was not looked up")?;
    anyhow::ensure!(exists, "there is no tenant {tenant}");
    Ok(())
}

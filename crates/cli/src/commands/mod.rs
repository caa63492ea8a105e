//! What each command does.

mod audit;
mod completions;
mod connection;
mod dead_letter;
mod domain;
mod encryption;
mod erase;
mod events;
mod key;
mod provider;
mod suppression;
mod tenant;
mod webhook;

use std::sync::Arc;

use ::domain::TenantId;
use anyhow::Context as _;
use provisioning::Provisioner;
use serde_json::json;
use service::Environment;
use service::settings::positive;
use service::shared::{DATABASE_URL, ENCRYPTION_KEYS, MAILJET_TIMEOUT, MAILJET_URL};
use store::{DatabaseUrl, Keyring, Store, migrate, sealed};

use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let output = Output { json: arguments.json };
    match arguments.command {
        Command::Migrate => migrate(&open(environment)?, output).await,
        Command::Tenant(command) => tenant::run(command, &open(environment)?, output).await,
        Command::Key(command) => key::run(command, &open(environment)?, output).await,
        Command::Events(command) => events::run(command, &open(environment)?, output).await,
        Command::Provider(command) => provider::run(command, &open(environment)?, environment, output).await,
        Command::Encryption(command) => {
            encryption::run(command, &open(environment)?, environment, output).await
        }
        Command::Audit(command) => audit::run(command, &open(environment)?, output).await,
        Command::Completions(wanted) => completions::run(&wanted, output),
        Command::Domain(command) => domain::run(command, &open(environment)?, environment, output).await,
        Command::Erase(command) => erase::run(command, &open(environment)?, output).await,
        Command::Suppression(command) => suppression::run(command, &open(environment)?, output).await,
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
async fn provisioner(store: &Store, environment: &Environment) -> anyhow::Result<Provisioner> {
    let keyring = keyring(environment, store).await?;
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

/// The ring of keys, for commands that need it: refused where the database holds a secret that it could not open.
async fn keyring(environment: &Environment, store: &Store) -> anyhow::Result<Keyring> {
    let keyring = environment.read(&ENCRYPTION_KEYS, Keyring::parse)?;
    if let Some(lacking) = sealed::lacking(store, &keyring).await.context("the keys were not compared")? {
        return Err(ENCRYPTION_KEYS.invalid(lacking.to_string()).into());
    }
    Ok(keyring)
}

/// Fails with a clear line when there is no such tenant.
async fn require(store: &Store, tenant: TenantId) -> anyhow::Result<()> {
    let exists = store::tenants::exists(store, tenant).await.context("the tenant was not looked up")?;
    if exists { Ok(()) } else { Err(Failure::NoSuchThing(format!("there is no tenant {tenant}")).into()) }
}

//! What each command does.

mod dead_letter;
mod erase;
mod events;
mod key;
mod provider;
mod suppression;
mod tenant;

use anyhow::Context as _;
use domain::TenantId;
use serde_json::json;
use service::Environment;
use service::shared::DATABASE_URL;
use store::{DatabaseUrl, Store, migrate};

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
        Command::Erase(command) => erase::run(command, &open(environment)?, output).await,
        Command::Suppression(command) => suppression::run(command, &open(environment)?, output).await,
        Command::DeadLetter(command) => dead_letter::run(command, environment, output).await,
    }
}

/// The store, for commands that need it.
fn open(environment: &Environment) -> anyhow::Result<Store> {
    let url = environment.read(&DATABASE_URL, DatabaseUrl::parse)?;
    Ok(Store::new(url, 2).map_err(|fault| DATABASE_URL.invalid(fault.to_string()))?)
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

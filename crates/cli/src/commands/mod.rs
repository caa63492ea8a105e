//! What each command does.

mod key;
mod provider;
mod tenant;

use anyhow::Context as _;
use domain::TenantId;
use serde_json::json;
use service::settings::secret;
use service::{Environment, Variable};
use store::{Store, migrate};

use crate::args::{Arguments, Command};
use crate::output::Output;

const DATABASE_URL: Variable = Variable {
    name: "DATABASE_URL",
    default: None,
    meaning: "the Postgres database, such as postgres://user:password@host:5432/raven",
};

pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let url = environment.read(&DATABASE_URL, secret)?;
    let store = Store::new(&url, 2).map_err(|fault| DATABASE_URL.invalid(fault.to_string()))?;
    let output = Output { json: arguments.json };
    match arguments.command {
        Command::Migrate => migrate(&store, output).await,
        Command::Tenant(command) => tenant::run(command, &store, output).await,
        Command::Key(command) => key::run(command, &store, output).await,
        Command::Provider(command) => provider::run(command, &store, environment, output).await,
    }
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

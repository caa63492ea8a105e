//! `raven tenant`.

use anyhow::Context as _;
use domain::api_key::Scope;
use domain::{Actor, TenantId};
use serde_json::json;
use store::api_keys::NewKey;
use store::{Store, tenants};
use uuid::Uuid;

use super::key;
use crate::args::Tenant;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(command: Tenant, store: &Store, output: Output) -> anyhow::Result<()> {
    match command {
        Tenant::Create { name } => create(store, &name, output).await,
        Tenant::List => list(store, output).await,
    }
}

async fn create(store: &Store, name: &str, output: Output) -> anyhow::Result<()> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(
            Failure::Arguments("the tenant's name is empty or holds a control character".to_owned()).into()
        );
    }
    let id = TenantId(Uuid::now_v7());
    tenants::create(store, id, name, Actor::Operator).await.context("the tenant was not created")?;
    let new = NewKey { scope: Scope::Manage, test: false, name: None };
    let key = key::make(store, id, new).await?;
    output.one(&json!({ "tenantId": id, "name": name, "apiKey": key.reveal() }))
}

async fn list(store: &Store, output: Output) -> anyhow::Result<()> {
    let tenants = tenants::list(store).await.context("the tenants were not listed")?;
    let rows = tenants
        .into_iter()
        .map(|tenant| json!({ "tenantId": tenant.id, "name": tenant.name, "createdAt": tenant.created_at }));
    output.list(&rows.collect::<Vec<_>>(), &["tenantId", "name", "createdAt"])
}

//! `raven provider test`.

use anyhow::Context as _;
use domain::TenantId;
use serde_json::{Value, json};
use service::Environment;
use store::Store;

use super::{provisioner, require};
use crate::output::Output;

/// Prints what was found. That something is not well is the command's failure.
pub(super) async fn test(
    tenant: TenantId,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let provisioner = provisioner(store, environment).await?;
    require(store, tenant).await?;
    let checks = provisioner.test_connection(tenant).await.context("the account was not tested")?;
    let bad: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    let rows: Vec<Value> = checks
        .iter()
        .map(|check| json!({ "name": check.name.as_str(), "ok": check.ok, "detail": check.detail }))
        .collect();
    if output.json {
        output.one(&json!({ "ok": bad.is_empty(), "checks": rows }))?;
    } else {
        output.list(&rows, &["name", "ok", "detail"])?;
    }
    anyhow::ensure!(bad.is_empty(), "not well: {}", bad.join(", "));
    Ok(())
}

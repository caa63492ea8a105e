//! `raven domain`.

use ::domain::{Actor, DomainName, TenantId};
use anyhow::Context as _;
use serde_json::{Value, json};
use service::Environment;
use store::Store;
use store::domains::{self, Domain};

use super::{provisioner, require};
use crate::args::{self, Named};
use crate::failure::Failure;
use crate::output::Output;

/// Domains that are read at once.
const PAGE: i64 = 500;

pub(super) async fn run(
    command: args::Domain,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let by = Actor::Operator;
    match command {
        args::Domain::List { tenant } => list(store, tenant, output).await,
        args::Domain::Show(Named { domain, tenant }) => show(&found(store, tenant, &domain).await?, output),
        args::Domain::Add(Named { domain, tenant }) => {
            let provisioner = provisioner(store, environment).await?;
            require(store, tenant).await?;
            let added = provisioner.add_domain(tenant, &domain, by).await;
            show(&added.with_context(|| format!("{domain} was not added"))?, output)
        }
        args::Domain::Check(Named { domain, tenant }) => {
            let provisioner = provisioner(store, environment).await?;
            let id = found(store, tenant, &domain).await?.id;
            let checked = provisioner.check_domain(tenant, id, by).await;
            let checked = checked.with_context(|| format!("{domain} was not checked"))?;
            show(&checked.ok_or_else(|| none(tenant, &domain))?, output)
        }
        args::Domain::Remove(Named { domain, tenant }) => {
            let provisioner = provisioner(store, environment).await?;
            let id = found(store, tenant, &domain).await?.id;
            let removed = provisioner.remove_domain(tenant, id, by).await;
            if !removed.with_context(|| format!("{domain} was not removed"))? {
                return Err(none(tenant, &domain).into());
            }
            output.one(&json!({ "id": id, "domain": domain.as_str(), "removed": true }))
        }
    }
}

async fn found(store: &Store, tenant: TenantId, name: &DomainName) -> anyhow::Result<Domain> {
    require(store, tenant).await?;
    let found = domains::find(store, tenant, name).await.context("the domain was not looked up")?;
    Ok(found.ok_or_else(|| none(tenant, name))?)
}

fn none(tenant: TenantId, name: &DomainName) -> Failure {
    Failure::NoSuchThing(format!("the tenant {tenant} has no domain {name}"))
}

async fn list(store: &Store, tenant: TenantId, output: Output) -> anyhow::Result<()> {
    require(store, tenant).await?;
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = domains::list(store, tenant, after.as_deref(), PAGE);
        let page = page.await.context("the domains were not listed")?;
        after = page.last().map(|last| last.name.to_string());
        rows.extend(page.iter().map(summary));
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    output.list(&rows, &["domain", "status", "createdAt", "verifiedAt", "lastCheckedAt", "error"])
}

/// One document, or a few lines and the records as a table to copy from.
fn show(domain: &Domain, output: Output) -> anyhow::Result<()> {
    let records: Vec<Value> = domain
        .records
        .iter()
        .map(|record| {
            json!({
                "purpose": record.purpose.as_str(),
                "type": "TXT",
                "name": record.name,
                "value": record.value,
                "valueIfNone": record.value_if_none,
                "status": record.status.as_str(),
                "found": record.found,
                "reason": record.reason,
            })
        })
        .collect();
    let mut document = summary(domain);
    if output.json {
        document["records"] = json!(records);
        return output.one(&document);
    }
    output.one(&document)?;
    crate::output::print("\n")?;
    output.list(&records, &["purpose", "status", "type", "name", "value", "valueIfNone", "reason"])
}

fn summary(domain: &Domain) -> Value {
    json!({
        "id": domain.id,
        "domain": domain.name.as_str(),
        "status": domain.status.as_str(),
        "createdAt": domain.created_at,
        "verifiedAt": domain.verified_at,
        "lastCheckedAt": domain.last_checked_at,
        "error": domain.error.as_ref().map(|error| json!({ "code": error.code, "message": error.message })),
    })
}

//! `raven webhook`.

use anyhow::Context as _;
use domain::{Actor, TenantId};
use mailjet::{CallbackEvent, CallbackStatus};
use provisioning::webhooks::{Endpoint, Registered, WebhookWish, Webhooks};
use serde_json::{Value, json};
use service::{Environment, Variable};
use store::Store;

use super::{provisioner, require};
use crate::args::Webhook;
use crate::failure::Failure;
use crate::output::{Output, note};

const PUBLIC_URL: Variable = Variable {
    name: "RAVEN_PUBLIC_URL",
    default: None,
    meaning: "the base of the webhook URLs that are registered, such as https://raven.example.com, or give --url",
};
const COLUMNS: [&str; 6] = ["event", "isBackup", "status", "version", "ours", "url"];

pub(super) async fn run(
    command: Webhook,
    store: &Store,
    environment: &Environment,
    output: Output,
) -> anyhow::Result<()> {
    let provisioner = provisioner(store, environment).await?;
    match command {
        Webhook::Register { tenant, url, backup_url, events } => {
            let wish = WebhookWish {
                url: main_url(url.as_deref(), tenant, environment)?,
                backup_url: backup_url.map(|text| endpoint("--backup-url", &text, tenant)).transpose()?,
                events: chosen(&events),
            };
            require(store, tenant).await?;
            let webhooks = provisioner.register_webhooks(tenant, &wish, Actor::Operator).await;
            show(webhooks.context("the webhooks were not registered, or not all of them; repeat it")?, output)
        }
        Webhook::List { tenant } => {
            require(store, tenant).await?;
            let webhooks = provisioner.webhooks(tenant).await;
            show(webhooks.context("the webhooks were not listed")?, output)
        }
        Webhook::Remove { tenant } => {
            require(store, tenant).await?;
            let removed = provisioner.remove_webhooks(tenant, Actor::Operator).await;
            let removed = removed.context("the webhooks were not removed, or not all of them; repeat it")?;
            if !removed {
                let none = "Raven has no webhooks registered for this tenant";
                return Err(Failure::NoSuchThing(none.to_owned()).into());
            }
            output.one(&json!({ "tenantId": tenant, "removed": true }))
        }
    }
}

fn main_url(url: Option<&str>, tenant: TenantId, environment: &Environment) -> anyhow::Result<Endpoint> {
    match url {
        Some(text) => Ok(endpoint("--url", text, tenant)?),
        None => Ok(environment.read(&PUBLIC_URL, |base| Endpoint::below(base, tenant))?),
    }
}

fn endpoint(name: &str, text: &str, tenant: TenantId) -> Result<Endpoint, Failure> {
    Endpoint::parse(text, tenant).map_err(|fault| Failure::Arguments(format!("{name} {fault}")))
}

/// In Mailjet's order, each once; without any, all.
fn chosen(events: &[CallbackEvent]) -> Vec<CallbackEvent> {
    let is_chosen = |event: &CallbackEvent| events.is_empty() || events.contains(event);
    CallbackEvent::ALL.into_iter().filter(is_chosen).collect()
}

fn show(webhooks: Webhooks, output: Output) -> anyhow::Result<()> {
    let Webhooks { rows, registered } = webhooks;
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let status = match row.status {
                CallbackStatus::Alive => "alive",
                CallbackStatus::Dead => "dead",
                CallbackStatus::Unknown => "unknown",
            };
            json!({
                "event": row.event, "url": row.url, "isBackup": row.is_backup, "version": row.version,
                "status": status, "ours": row.ours,
            })
        })
        .collect();
    output.list_with(&rows, &COLUMNS, &[("registration", json!(registered.as_ref().map(registration)))])?;
    if output.json {
        return Ok(());
    }
    let registered = registered.as_ref();
    if let Some(fault) = registered.and_then(|registered| registered.fault.as_deref()) {
        note(&format!("not all is as it should be: {fault}"))?;
    }
    if registered.is_some_and(|registered| registered.contested_at.is_some()) {
        note(
            "somebody else keeps replacing these webhooks; theirs are left alone until they are registered again",
        )?;
    }
    Ok(())
}

/// What is kept registered, as the API tells it.
fn registration(registered: &Registered) -> Value {
    let Registered { url, backup_url, events, checked_at, fault, contested_at } = registered;
    let events: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    json!({
        "url": url,
        "backupUrl": backup_url,
        "events": events,
        "checkedAt": checked_at,
        "fault": fault,
        "contestedAt": contested_at,
    })
}

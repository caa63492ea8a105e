//! `raven audit`.

use anyhow::Context as _;
use serde_json::{Value, json};
use store::Store;
use store::audit::{self, EntryView, Filter};

use super::require;
use crate::args::Audit;
use crate::output::{Output, printable};

pub(super) async fn run(command: Audit, store: &Store, output: Output) -> anyhow::Result<()> {
    let Audit::List { tenant, action, limit, cursor } = command;
    require(store, tenant).await?;
    // One more, to see whether there are more.
    let (filter, most) = (Filter { action, before: cursor }, i64::from(limit) + 1);
    let mut entries =
        audit::list(store, tenant, filter, most).await.context("the audit log was not listed")?;
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > room;
    entries.truncate(room);
    let rows: Vec<Value> = entries.iter().map(|entry| row(entry, output)).collect();
    let next = entries.last().filter(|_| more).map(|last| last.id.to_string());
    output.page(&rows, &["id", "createdAt", "actor", "action", "subject", "detail"], next)
}

fn row(entry: &EntryView, output: Output) -> Value {
    let text = |text: &str| if output.json { text.to_owned() } else { printable(text).replace('\n', " ") };
    json!({
        "id": entry.id,
        "createdAt": entry.created_at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": text(&entry.subject),
        "detail": entry.detail.as_deref().map(text),
    })
}

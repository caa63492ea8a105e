//! `raven suppression`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};
use std::path::Path;

use anyhow::Context as _;
use domain::address::key_of;
use domain::suppression::file;
use domain::{Actor, EmailAddress, SuppressionReason, TenantId};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::Store;
use store::suppressions::{self, Filter, Import, Imported};

use super::require;
use crate::args::Suppression;
use crate::failure::Failure;
use crate::output::{Output, note};

/// Bytes of a file that are read, and rows that are written, at once.
const PIECE: usize = 64 * 1024;
const PAGE: i64 = 2_000;
/// Faults that are shown one by one to people; programs get a hundred.
const SHOWN: usize = 10;

pub(super) async fn run(command: Suppression, store: &Store, output: Output) -> anyhow::Result<()> {
    let tenant = match &command {
        Suppression::List { of, .. }
        | Suppression::Add { of, .. }
        | Suppression::Remove { of, .. }
        | Suppression::Import { of, .. }
        | Suppression::Export { of, .. } => of.tenant,
    };
    require(store, tenant).await?;
    match command {
        Suppression::List { email, reason, limit, cursor, .. } => {
            let email_key = email.as_deref().map(key_of);
            let after = cursor.as_deref().map(key_of);
            let filter = Filter { email_key, reason, after };
            list(store, tenant, &filter, limit, output).await
        }
        Suppression::Add { email, reason, .. } => add(store, tenant, &email, reason, output).await,
        Suppression::Remove { email, .. } => {
            let key = key_of(&email);
            let removed = suppressions::delete(store, tenant, &key, Actor::Operator).await;
            let removed = removed.context("the address was not taken off the list")?;
            if !removed {
                let none = format!("{email} is not on the suppression list of this tenant");
                return Err(Failure::NoSuchThing(none).into());
            }
            output.one(&json!({ "email": email, "removed": true }))
        }
        Suppression::Import { file, .. } => import(store, tenant, &file, output).await,
        Suppression::Export { file, reason, .. } => {
            let filter = Filter { reason, ..Filter::default() };
            export(store, tenant, filter, file.as_deref(), output).await
        }
    }
}

async fn list(
    store: &Store,
    tenant: TenantId,
    filter: &Filter,
    limit: u32,
    output: Output,
) -> anyhow::Result<()> {
    // One more, to see whether there are more.
    let rows = suppressions::list(store, tenant, filter, i64::from(limit) + 1).await;
    let mut rows = rows.context("the list was not read")?;
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > room;
    rows.truncate(room);
    let next = rows.last().filter(|_| more).map(|row| row.email_key.clone());
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let (reason, at) = (row.reason.as_str(), row.created_at);
            json!({ "email": row.email, "reason": reason, "createdAt": at, "eventId": row.event_id })
        })
        .collect();
    output.page(&rows, &["email", "reason", "createdAt"], next)
}

async fn add(
    store: &Store,
    tenant: TenantId,
    email: &EmailAddress,
    reason: SuppressionReason,
    output: Output,
) -> anyhow::Result<()> {
    suppressions::add(store, tenant, email, reason, Actor::Operator)
        .await
        .context("the address was not put on the list")?;
    let filter = Filter { email_key: Some(email.key()), ..Filter::default() };
    let row = suppressions::list(store, tenant, &filter, 1).await.context("the list was not read")?.pop();
    let row = row.context("the address was taken off the list again")?;
    output.one(&json!({ "email": row.email, "reason": row.reason.as_str(), "createdAt": row.created_at }))
}

async fn import(store: &Store, tenant: TenantId, path: &Path, output: Output) -> anyhow::Result<()> {
    let (mut source, length): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).map_err(|fault| Failure::file(path, &fault))?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let bar = bar(length, "{wide_bar} {bytes}/{total_bytes} {eta}", "{spinner} {bytes}");
    let mut import = Import::new(store, tenant, Actor::Operator);
    let mut piece = vec![0; PIECE];
    let stays = "the file was not imported to its end; what was imported stays, run it again";
    loop {
        let count = source.read(&mut piece).with_context(|| path.display().to_string())?;
        if count == 0 {
            break;
        }
        import.read(&piece[..count])?;
        while import.is_due() {
            import.write().await.context(stays)?;
        }
        bar.inc(u64::try_from(count).unwrap_or_default());
    }
    import.end()?;
    while !import.is_done() {
        import.write().await.context(stays)?;
    }
    bar.finish_and_clear();
    report(import.finish(), output)
}

fn report(imported: Imported, output: Output) -> anyhow::Result<()> {
    let Imported { read, added, changed, unchanged, rejected, faults, ignored_columns } = imported;
    let mut document = json!({
        "read": read, "added": added, "changed": changed, "unchanged": unchanged, "rejected": rejected,
    });
    if output.json {
        let faults = faults.iter().map(|fault| json!({ "line": fault.line, "detail": fault.detail }));
        document["faults"] = faults.collect();
        document["ignoredColumns"] = json!(ignored_columns);
        return output.one(&document);
    }
    for fault in faults.iter().take(SHOWN) {
        note(&format!("line {} {}", fault.line, fault.detail))?;
    }
    if rejected > u64::try_from(SHOWN).unwrap_or_default() {
        note("… (--json shows the first hundred)")?;
    }
    if !ignored_columns.is_empty() {
        note(&format!("passed over these columns: {}", ignored_columns.join(", ")))?;
    }
    output.one(&document)
}

async fn export(
    store: &Store,
    tenant: TenantId,
    mut filter: Filter,
    path: Option<&Path>,
    output: Output,
) -> anyhow::Result<()> {
    if path.is_none() && output.json {
        return Err(Failure::Arguments("with --json, name a file for the list".to_owned()).into());
    }
    let mut target: Box<dyn io::Write> = match path {
        Some(path) => {
            let file = File::create_new(path).map_err(|fault| Failure::file(path, &fault))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    target.write_all(file::HEADER.as_bytes())?;
    let bar = bar(None, "", "{spinner} {pos} rows");
    let mut count = 0;
    loop {
        let rows = suppressions::list(store, tenant, &filter, PAGE).await;
        let rows = rows.context("the list was not read to its end: the file is not whole")?;
        let Some(last) = rows.last() else { break };
        filter.after = Some(last.email_key.clone());
        let mut text = String::new();
        for row in &rows {
            file::write(&mut text, &row.email, row.reason, row.created_at);
        }
        target.write_all(text.as_bytes())?;
        count += rows.len();
        bar.set_position(u64::try_from(count).unwrap_or_default());
    }
    target.flush()?;
    bar.finish_and_clear();
    match path {
        Some(path) => output.one(&json!({ "file": path, "rows": count })),
        None => Ok(()),
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(length: Option<u64>, known: &str, unknown: &str) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), known),
        None => (ProgressBar::new_spinner(), unknown),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

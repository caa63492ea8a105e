//! Table `audit_log`: what was managed, by whom, and when. An entry is written in the transaction of what it tells of, so
//! that neither exists without the other. Entries are never changed, but for two: one of something that takes several
//! transactions has its counts brought up to date in each of them, and an erasure takes a person's address out.

use domain::{Action, Actor, TenantId};
use jiff::Timestamp;

use crate::lent::Transaction;
use crate::{Error, Store};

/// Something that was done.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// In whose realm.
    pub tenant: TenantId,
    /// By whom.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To what: an id or a name, never a secret.
    pub subject: &'a str,
    /// Why or how, where that is not plain; never a secret.
    pub detail: Option<&'a str>,
}

/// An entry as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// Grows from entry to entry.
    pub id: i64,
    /// A key's id, `cli` or `worker`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why or how.
    pub detail: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this action.
    pub action: Option<Action>,
    /// Only entries before this one.
    pub before: Option<i64>,
}

/// Writes an entry, which counts when the transaction does.
pub(crate) async fn record(transaction: &Transaction<'_>, entry: Entry<'_>) -> Result<(), Error> {
    let statement = transaction
        .prepare_cached(
            "insert into audit_log (tenant_id, actor, action, subject, detail) values ($1, $2, $3, $4, $5)",
        )
        .await?;
    let (actor, action) = (entry.actor.to_string(), entry.action.as_str());
    transaction
        .execute(&statement, &[&entry.tenant.0, &actor, &action, &entry.subject, &entry.detail])
        .await?;
    Ok(())
}

/// Writes the entry of something that takes several transactions: the first writes it, and those that give the id that was
/// answered then bring its detail up to date.
pub(crate) async fn record_progress(
    transaction: &Transaction<'_>,
    entry: Entry<'_>,
    known: Option<i64>,
) -> Result<i64, Error> {
    if let Some(id) = known {
        let update = "update audit_log set detail = $3 where id = $1 and tenant_id = $2";
        let statement = transaction.prepare_cached(update).await?;
        transaction.execute(&statement, &[&id, &entry.tenant.0, &entry.detail]).await?;
        return Ok(id);
    }
    record(transaction, entry).await?;
    let id: i64 =
        transaction.query_one("select currval(pg_get_serial_sequence('audit_log', 'id'))", &[]).await?.get(0);
    Ok(id)
}

/// Up to `limit` entries, newest first. `audit_log_tenant_idx` serves this query.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    filter: Filter,
    limit: i64,
) -> Result<Vec<EntryView>, Error> {
    let client = store.client().await?;
    let action = filter.action.map(Action::as_str);
    let statement = client
        .prepare_cached(
            "select id, actor, action, subject, detail, created_at from audit_log
             where tenant_id = $1 and ($2::text is null or action = $2) and ($3::bigint is null or id < $3)
             order by id desc limit $4",
        )
        .await?;
    let rows = client.query(&statement, &[&tenant.0, &action, &filter.before, &limit]).await?;
    Ok(rows
        .iter()
        .map(|row| EntryView {
            id: row.get("id"),
            actor: row.get("actor"),
            action: row.get("action"),
            subject: row.get("subject"),
            detail: row.get("detail"),
            created_at: row.get("created_at"),
        })
        .collect())
}

//! Table `domains`: what tenants send from, and what was found there.

mod looks;

use domain::{Action, Actor, DomainId, DomainName, DomainRecord, DomainStatus, Reason, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

pub use self::looks::{Turn, Verdict, conclude, fail, take, take_due};
use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::{Error, Store};

/// What a domain is read from.
const COLUMNS: &str = "id, tenant_id, domain, status, records, error_code, error_message, created_at, verified_at, \
                       last_checked_at";

/// A domain as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: DomainName,
    /// What its records come to.
    pub status: DomainStatus,
    /// What to publish, and how it was found.
    pub records: Vec<DomainRecord>,
    /// Why the last look was not answered, if it was not.
    pub error: Option<Reason>,
    /// Since when it is here.
    pub created_at: Timestamp,
    /// When it was found verified; nothing while it is pending.
    pub verified_at: Option<Timestamp>,
    /// When the last look began that was answered.
    pub last_checked_at: Option<Timestamp>,
}

/// Adds a domain, due for its first look; answers the one that is there if the tenant has it already.
pub async fn add(
    store: &Store,
    tenant: TenantId,
    name: &DomainName,
    records: &[DomainRecord],
    by: Actor,
) -> Result<Domain, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let inserted = transaction
        .execute(
            "insert into domains (id, tenant_id, domain, records, due_at) values ($1, $2, $3, $4, now())
             on conflict on constraint domains_tenant_domain_key do nothing",
            &[&Uuid::now_v7(), &tenant.0, &name.as_str(), &to_json(records)?],
        )
        .await?;
    if inserted == 1 {
        note(&transaction, tenant, name, (by, Action::DomainAdded), None).await?;
    }
    let row = transaction
        .query_one(
            &format!("select {COLUMNS} from domains where tenant_id = $1 and domain = $2"),
            &[&tenant.0, &name.as_str()],
        )
        .await?;
    transaction.commit().await?;
    domain(&row)
}

/// A tenant's domain by its name.
pub async fn find(store: &Store, tenant: TenantId, name: &DomainName) -> Result<Option<Domain>, Error> {
    let client = store.client().await?;
    let row = client
        .query_opt(
            &format!("select {COLUMNS} from domains where tenant_id = $1 and domain = $2"),
            &[&tenant.0, &name.as_str()],
        )
        .await?;
    row.as_ref().map(domain).transpose()
}

/// A tenant's domain by its id.
pub async fn get(store: &Store, tenant: TenantId, id: DomainId) -> Result<Option<Domain>, Error> {
    let client = store.client().await?;
    let row = client
        .query_opt(
            &format!("select {COLUMNS} from domains where tenant_id = $1 and id = $2"),
            &[&tenant.0, &id.0],
        )
        .await?;
    row.as_ref().map(domain).transpose()
}

/// Up to `limit` domains of a tenant after this name, by name. `domains_tenant_domain_key` serves this query.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Domain>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            &format!(
                "select {COLUMNS} from domains where tenant_id = $1 and ($2::text is null or domain > $2)
                 order by domain limit $3"
            ),
            &[&tenant.0, &after, &limit],
        )
        .await?;
    rows.iter().map(domain).collect()
}

/// The other tenants that have a domain of this name. They may share an account.
pub async fn other_owners(
    store: &Store,
    tenant: TenantId,
    name: &DomainName,
) -> Result<Vec<TenantId>, Error> {
    let client = store.client().await?;
    let rows = client
        .query(
            "select tenant_id from domains where domain = $2 and tenant_id <> $1",
            &[&tenant.0, &name.as_str()],
        )
        .await?;
    Ok(rows.iter().map(|row| TenantId(row.get("tenant_id"))).collect())
}

/// Removes a domain; answers whether the tenant had it.
pub async fn remove(store: &Store, tenant: TenantId, id: DomainId, by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_opt(
            "delete from domains where tenant_id = $1 and id = $2 returning domain",
            &[&tenant.0, &id.0],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    note(&transaction, tenant, &name(&row)?, (by, Action::DomainRemoved), None).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn note(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    name: &DomainName,
    (actor, action): (Actor, Action),
    detail: Option<&str>,
) -> Result<(), Error> {
    audit::record(transaction, Entry { tenant, actor, action, subject: name.as_str(), detail }).await
}

fn to_json(records: &[DomainRecord]) -> Result<String, Error> {
    serde_json::to_string(records).map_err(|_| Error::Unreadable { column: "records" })
}

fn name(row: &Row) -> Result<DomainName, Error> {
    DomainName::parse(row.get("domain")).map_err(|_| Error::Unreadable { column: "domain" })
}

fn status(row: &Row) -> Result<DomainStatus, Error> {
    row.get::<_, &str>("status").parse().map_err(|_| Error::Unreadable { column: "status" })
}

fn domain(row: &Row) -> Result<Domain, Error> {
    let records =
        serde_json::from_str(row.get("records")).map_err(|_| Error::Unreadable { column: "records" })?;
    let code: Option<String> = row.get("error_code");
    let message: Option<String> = row.get("error_message");
    Ok(Domain {
        id: DomainId(row.get("id")),
        tenant: TenantId(row.get("tenant_id")),
        name: name(row)?,
        status: status(row)?,
        records,
        error: code.map(|code| Reason::new(code, message.unwrap_or_default())),
        created_at: row.get("created_at"),
        verified_at: row.get("verified_at"),
        last_checked_at: row.get("last_checked_at"),
    })
}

//! Table `tenants`.

use domain::{Action, Actor, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Error, Store};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Since when it exists.
    pub created_at: Timestamp,
}

/// Creates a tenant.
pub async fn create(store: &Store, id: TenantId, name: &str, by: Actor) -> Result<(), Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    transaction.execute("insert into tenants (id, name) values ($1, $2)", &[&id.0, &name]).await?;
    let entry = Entry { tenant: id, actor: by, action: Action::TenantCreated, subject: name, detail: None };
    audit::record(&transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

/// Every tenant, oldest first.
pub async fn list(store: &Store) -> Result<Vec<Tenant>, Error> {
    let client = store.client().await?;
    let rows = client.query("select id, name, created_at from tenants order by created_at, id", &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Tenant {
            id: TenantId(row.get::<_, Uuid>("id")),
            name: row.get("name"),
            created_at: row.get("created_at"),
        })
        .collect())
}

/// Whether there is such a tenant.
pub async fn exists(store: &Store, id: TenantId) -> Result<bool, Error> {
    let client = store.client().await?;
    Ok(client.query_opt("select 1 from tenants where id = $1", &[&id.0]).await?.is_some())
}

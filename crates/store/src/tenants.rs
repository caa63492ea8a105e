//! Table `tenants`.

use domain::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

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
pub async fn create(store: &Store, id: TenantId, name: &str) -> Result<(), Error> {
    let client = store.client().await?;
    client.execute("insert into tenants (id, name) values ($1, $2)", &[&id.0, &name]).await?;
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

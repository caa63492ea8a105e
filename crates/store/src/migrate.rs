//! Applies `migrations/`, which is embedded in the binary.

use crate::{Error, Store};

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

/// The advisory lock that lets one process migrate at a time ("raven" in ASCII).
const LOCK: i64 = 0x72_6176_656e;

/// One migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// What it does.
    pub name: String,
}

/// Applies what is missing, and answers what that was. Safe to call from several processes at once: they take
/// turns, and all but the first find nothing to do.
pub async fn run(store: &Store) -> Result<Vec<Applied>, Error> {
    // Waiting for another process's migration may take longer than a statement normally may.
    store.be_patient();
    let mut client = store.client().await?.keep();
    client.batch_execute("set statement_timeout = 0; set lock_timeout = 0").await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let result = apply(&mut client).await;
    // The connection is not given back: closing it frees the lock and drops the settings, whatever happened.
    drop(client);
    let applied = result?;
    crate::partitions::ensure(store).await?;
    Ok(applied)
}

async fn apply(client: &mut deadpool_postgres::ClientWrapper) -> Result<Vec<Applied>, Error> {
    let client: &mut tokio_postgres::Client = client;
    let report = embedded::migrations::runner()
        .run_async(client)
        .await
        .map_err(|fault| Error::Migration(Box::new(fault)))?;
    Ok(report
        .applied_migrations()
        .iter()
        .map(|migration| Applied { version: migration.version(), name: migration.name().to_owned() })
        .collect())
}

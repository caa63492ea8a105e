//! Sealing every stored secret anew, while services run.
//!
//! Guarantees: what is written was read in the same transaction, under a lock on its row, so that a secret which its
//! owner changes meanwhile stays changed; no row is waited for; what was done stays done however this ends, and a second
//! run goes on from there. `updated_at` stays, since the account is the same to those who use it.

use std::time::Duration;

use domain::{Action, Actor, TenantId};
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{SEALED, Sealed, seal};
use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::seal::{Place, Unsealable};
use crate::{Error, Keyring, Store};

/// Rows of one transaction.
const BATCH: usize = 50;
/// How long rows that others hold are tried again. Sessions of ours hold none for longer than half a minute.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of it.
#[derive(Debug, Default)]
pub struct Rotation {
    /// Secrets that were sealed anew.
    pub rotated: u64,
    /// Secrets that the first key sealed already.
    pub already: u64,
    /// Whose rows do not open, and why; they are left as they are.
    pub unreadable: Vec<(TenantId, Unsealable)>,
    /// Rows that others held all the while.
    pub locked: u64,
}

/// Seals with the first key of the ring whatever another key sealed. `progress` is told how many rows were looked at.
pub async fn rotate(store: &Store, ring: &Keyring, mut progress: impl FnMut(u64)) -> Result<Rotation, Error> {
    let (mut done, mut seen) = (Rotation::default(), 0);
    for sealed in &SEALED {
        let mut work = Work { store, ring, sealed, done: &mut done };
        let (mut after, mut held) = (None, Vec::new());
        loop {
            let page = work.page(after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            seen += page.len() as u64;
            held.extend(work.turn(page).await?);
            progress(seen);
        }
        work.come_back(held).await?;
    }
    done.unreadable.sort_by_key(|(tenant, _)| *tenant);
    Ok(done)
}

/// A row, by tenant and its key within the tenant.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    tenant: Uuid,
    row: String,
}

struct Record {
    key: Key,
    /// One for each column.
    values: Vec<Option<Vec<u8>>>,
}

/// What a row is like.
enum State {
    Already,
    /// The secret of each column that another key sealed.
    Old(Vec<(&'static str, SecretString)>),
    Unreadable(Unsealable),
}

struct Work<'a> {
    store: &'a Store,
    ring: &'a Keyring,
    sealed: &'static Sealed,
    done: &'a mut Rotation,
}

impl Work<'_> {
    fn select(&self) -> String {
        let Sealed { table, row, columns } = self.sealed;
        format!("select tenant_id, {row}::text as row_key, {} from {table}", columns.join(", "))
    }

    /// The next rows, unlocked.
    async fn page(&self, after: Option<&Key>) -> Result<Vec<Record>, Error> {
        let row = self.sealed.row;
        let (tenant, key) = after.map(|key| (key.tenant, key.row.as_str())).unzip();
        let select = format!(
            "{} where $1::uuid is null or (tenant_id, {row}::text) > ($1, $2::text)
             order by tenant_id, {row}::text limit {BATCH}",
            self.select()
        );
        let client = self.store.client().await?;
        let rows = client.query(&select, &[&tenant, &key]).await?;
        Ok(rows.iter().map(|row| self.record(row)).collect())
    }

    fn record(&self, row: &Row) -> Record {
        Record {
            key: Key { tenant: row.get("tenant_id"), row: row.get("row_key") },
            values: self.sealed.columns.iter().map(|column| row.get(*column)).collect(),
        }
    }

    fn state(&self, record: &Record) -> State {
        let mut old = Vec::new();
        for (column, value) in self.sealed.columns.iter().zip(&record.values) {
            let Some(value) = value else { continue };
            match self.ring.open(self.place(&record.key, column), value) {
                Ok(_) if self.ring.is_first(value) => {}
                Ok(secret) => old.push((*column, secret)),
                Err(why) => return State::Unreadable(why),
            }
        }
        if old.is_empty() { State::Already } else { State::Old(old) }
    }

    fn place<'k>(&self, key: &'k Key, column: &'k str) -> Place<'k> {
        Place { tenant: TenantId(key.tenant), table: self.sealed.table, column, row: &key.row }
    }

    /// Deals with rows that were just read, and answers those that others hold.
    async fn turn(&mut self, records: Vec<Record>) -> Result<Vec<Key>, Error> {
        let mut old = Vec::new();
        for record in records {
            match self.state(&record) {
                State::Old(_) => old.push(record.key),
                other => self.note(&record, other),
            }
        }
        if old.is_empty() {
            return Ok(old);
        }
        let mut client = self.store.client().await?;
        let transaction = client.transaction().await?;
        let locked = self.lock(&transaction, &old).await?;
        let mut states = Vec::with_capacity(locked.len());
        for record in locked {
            old.retain(|key| *key != record.key);
            let state = self.state(&record);
            if let State::Old(secrets) = &state {
                self.write(&transaction, &record.key, secrets).await?;
            }
            states.push((record, state));
        }
        transaction.commit().await?;
        for (record, state) in states {
            self.note(&record, state);
        }
        Ok(old)
    }

    fn note(&mut self, record: &Record, state: State) {
        let secrets = record.values.iter().flatten().count() as u64;
        match state {
            State::Already => self.done.already += secrets,
            State::Old(old) => {
                self.done.rotated += old.len() as u64;
                self.done.already += secrets - old.len() as u64;
            }
            State::Unreadable(why) => self.done.unreadable.push((TenantId(record.key.tenant), why)),
        }
    }

    /// The rows as they are now, locked; those that others hold, and those that are gone, are not among them.
    async fn lock(&self, transaction: &Transaction<'_>, keys: &[Key]) -> Result<Vec<Record>, Error> {
        let (tenants, rows) = columns(keys);
        let select = self.question(" for update skip locked");
        let rows = transaction.query(&select, &[&tenants, &rows]).await?;
        Ok(rows.iter().map(|row| self.record(row)).collect())
    }

    fn question(&self, lock: &str) -> String {
        let (select, row) = (self.select(), self.sealed.row);
        format!(
            "{select} where (tenant_id, {row}::text) in (select * from unnest($1::uuid[], $2::text[])){lock}"
        )
    }

    async fn write(
        &self,
        transaction: &Transaction<'_>,
        key: &Key,
        secrets: &[(&'static str, SecretString)],
    ) -> Result<(), Error> {
        let Sealed { table, row, .. } = self.sealed;
        for (column, secret) in secrets {
            let value = seal(self.ring, self.place(key, column), secret)?;
            let update =
                format!("update {table} set {column} = $3 where tenant_id = $1 and {row}::text = $2");
            transaction.execute(&update, &[&key.tenant, &key.row, &value]).await?;
        }
        let detail = format!("{table}, with the key {:?}", self.ring.first());
        let entry = Entry {
            tenant: TenantId(key.tenant),
            actor: Actor::Operator,
            action: Action::SecretsRotated,
            subject: &key.row,
            detail: Some(&detail),
        };
        audit::record(transaction, entry).await
    }

    /// Tries again what others held, for as long as that changes something, and a while longer.
    async fn come_back(&mut self, mut held: Vec<Key>) -> Result<(), Error> {
        let mut deadline = Instant::now() + PATIENCE;
        while !held.is_empty() {
            let before = held.len();
            let mut left = Vec::new();
            for keys in held.chunks(BATCH) {
                let (tenants, rows) = columns(keys);
                let client = self.store.client().await?;
                let found = client.query(&self.question(""), &[&tenants, &rows]).await?;
                drop(client);
                left.extend(self.turn(found.iter().map(|row| self.record(row)).collect()).await?);
            }
            held = left;
            if held.len() < before {
                deadline = Instant::now() + PATIENCE;
            } else if Instant::now() > deadline {
                self.done.locked += held.len() as u64;
                return Ok(());
            }
            if !held.is_empty() {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

fn columns(keys: &[Key]) -> (Vec<Uuid>, Vec<&str>) {
    keys.iter().map(|key| (key.tenant, key.row.as_str())).unzip()
}

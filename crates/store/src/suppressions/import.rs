//! Putting a whole file on the list, in batches that are committed one by one.

use domain::suppression::file::{BadHeader, Reader, Row, RowFault};
use domain::{Action, Actor, TenantId};

use crate::audit::{self, Entry};
use crate::{Error, Store};

/// Rows that are written at once.
const BATCH: usize = 2_000;
/// Faults that are kept for the answer.
const FAULTS: usize = 100;
/// Tries for a batch that meets others' transactions.
const TRIES: u32 = 5;

/// The same rule as for one address: the first date stays, and the stronger of both reasons. In the order of the key, so
/// that this and the recording of events wait for each other in one direction only.
const IMPORT: &str = "
insert into suppressions as s (tenant_id, email_key, email, reason)
select distinct on (email_key) $1::uuid, email_key, email, reason
from unnest($2::text[], $3::text[], $4::text[]) with ordinality as t(email_key, email, reason, place)
order by email_key, suppression_strength(reason) desc, place
on conflict on constraint suppressions_pkey do update
set reason = excluded.reason, event_id = null
where suppression_strength(excluded.reason) > suppression_strength(s.reason)
returning xmax = 0 as added";

/// What an import came to so far. Rows that are not `rejected` are added, changed or unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows of the file.
    pub read: u64,
    /// Addresses that were not on the list.
    pub added: u64,
    /// Addresses that got a stronger reason.
    pub changed: u64,
    /// Addresses that were on the list already, or came in the file before.
    pub unchanged: u64,
    /// Rows that are none of a suppression list.
    pub rejected: u64,
    /// What is wrong with the first hundred of these.
    pub faults: Vec<RowFault>,
    /// Columns of the file that mean nothing here.
    pub ignored_columns: Vec<String>,
}

impl Imported {
    fn words(&self) -> String {
        let Self { read, added, changed, unchanged, rejected, .. } = self;
        format!("read {read}, added {added}, changed {changed}, unchanged {unchanged}, rejected {rejected}")
    }
}

/// An import under way. Memory is bounded by the pieces that it is given, whatever the length of the file.
pub struct Import {
    store: Store,
    tenant: TenantId,
    actor: Actor,
    reader: Reader,
    pending: Vec<Row>,
    /// The entry in the audit log, once there is one.
    entry: Option<i64>,
    so_far: Imported,
}

impl Import {
    /// Begins one.
    pub fn new(store: &Store, tenant: TenantId, actor: Actor) -> Self {
        Self {
            store: store.clone(),
            tenant,
            actor,
            reader: Reader::default(),
            pending: Vec::new(),
            entry: None,
            so_far: Imported::default(),
        }
    }

    /// Reads a piece of the file. Ask [`Self::is_due`] afterwards.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), BadHeader> {
        let (pending, so_far) = (&mut self.pending, &mut self.so_far);
        self.reader.read(piece, |row| so_far.take(row, pending))
    }

    /// Reads the end of the file. What is left is to be written until [`Self::is_done`].
    pub fn end(&mut self) -> Result<(), BadHeader> {
        let (pending, so_far) = (&mut self.pending, &mut self.so_far);
        self.reader.end(|row| so_far.take(row, pending))
    }

    /// Whether a batch is full, and to be written before more is read.
    pub fn is_due(&self) -> bool {
        self.pending.len() >= BATCH
    }

    /// Whether everything that was read is written.
    pub fn is_done(&self) -> bool {
        self.pending.is_empty() && (self.entry.is_some() || self.so_far.read == 0)
    }

    /// Writes a batch in a transaction of its own, together with the counts in the audit log; so the log tells what was
    /// imported also where the file broke off.
    pub async fn write(&mut self) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            match self.write_once().await {
                Err(Error::Contention(_)) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn write_once(&mut self) -> Result<(), Error> {
        let count = self.pending.len().min(BATCH);
        let batch = &self.pending[..count];
        let keys: Vec<String> = batch.iter().map(|row| row.email.key()).collect();
        let emails: Vec<&str> = batch.iter().map(|row| row.email.as_str()).collect();
        let reasons: Vec<&str> = batch.iter().map(|row| row.reason.as_str()).collect();
        let mut client = self.store.client().await?;
        let statement = client.prepare_cached(IMPORT).await?;
        let transaction = client.transaction().await?;
        let written = transaction.query(&statement, &[&self.tenant.0, &keys, &emails, &reasons]).await?;
        let of = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let added = of(written.iter().filter(|row| row.get("added")).count());
        let mut so_far = self.so_far.clone();
        so_far.added += added;
        so_far.changed += of(written.len()) - added;
        so_far.unchanged += of(count - written.len());
        let (action, words) = (Action::SuppressionsImported, so_far.words());
        let entry = Entry {
            tenant: self.tenant,
            actor: self.actor,
            action,
            subject: "suppressions",
            detail: Some(&words),
        };
        let entry = audit::record_progress(&transaction, entry, self.entry).await?;
        transaction.commit().await?;
        self.entry = Some(entry);
        self.so_far = so_far;
        self.pending.drain(..count);
        Ok(())
    }

    /// What came of it.
    pub fn finish(mut self) -> Imported {
        self.so_far.ignored_columns = self.reader.ignored().to_vec();
        self.so_far
    }
}

impl Imported {
    fn take(&mut self, row: Result<Row, RowFault>, pending: &mut Vec<Row>) {
        self.read += 1;
        match row {
            Ok(row) => pending.push(row),
            Err(fault) => {
                self.rejected += 1;
                if self.faults.len() < FAULTS {
                    self.faults.push(fault);
                }
            }
        }
    }
}

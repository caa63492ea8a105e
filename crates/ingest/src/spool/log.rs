//! The log in its store: entries by number, oldest first, and how many bytes they have.
//!
//! The number of an entry is the microsecond in which it came, or the next free one, so the first number tells the age of
//! the oldest.

use bytes::Bytes;
use jiff::Timestamp;
use redb::{Database, Durability, Error, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use redb::{ReadableTableMetadata as _, WriteTransaction};

/// The name tells the shape: another one needs another name.
const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries-1");
const FACTS: TableDefinition<&str, u64> = TableDefinition::new("facts");
/// How many bytes all entries have.
const BYTES: &str = "bytes";

/// Bytes of entries that are read at one time, unless one alone has more.
const READ: usize = 8 * 1024 * 1024;

/// How much is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// The number of the oldest entry.
    pub(super) oldest: Option<u64>,
}

/// The log.
pub(super) struct Log {
    database: Database,
    totals: Totals,
    last: u64,
}

impl Log {
    /// What an earlier process left, or nothing yet.
    pub(super) fn new(database: Database) -> Result<Self, Error> {
        let transaction = database.begin_write()?;
        let (totals, last) = {
            let entries = transaction.open_table(ENTRIES)?;
            let facts = transaction.open_table(FACTS)?;
            let bytes = facts.get(BYTES)?.map_or(0, |bytes| bytes.value());
            let oldest = entries.first()?.map(|(number, _)| number.value());
            let last = entries.last()?.map_or(0, |(number, _)| number.value());
            (Totals { messages: entries.len()?, bytes, oldest }, last)
        };
        transaction.commit()?;
        Ok(Self { database, totals, last })
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Forgets `removed` and writes down `added`; both are on disk when this answers `Ok`. After an error neither need
    /// be, and the log is of no more use.
    pub(super) fn commit<'a>(
        &mut self,
        removed: &[u64],
        added: impl Iterator<Item = &'a Vec<u8>>,
    ) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let (totals, last) = Self::change(&transaction, (self.totals.bytes, self.last), removed, added)?;
        transaction.commit()?;
        (self.totals, self.last) = (totals, last);
        Ok(())
    }

    fn change<'a>(
        transaction: &WriteTransaction,
        (mut bytes, mut last): (u64, u64),
        removed: &[u64],
        added: impl Iterator<Item = &'a Vec<u8>>,
    ) -> Result<(Totals, u64), Error> {
        let mut entries = transaction.open_table(ENTRIES)?;
        for number in removed {
            if let Some(entry) = entries.remove(number)? {
                bytes = bytes.saturating_sub(entry.value().len() as u64);
            }
        }
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        for entry in added {
            last = now.max(last + 1);
            entries.insert(last, entry.as_slice())?;
            bytes += entry.len() as u64;
        }
        transaction.open_table(FACTS)?.insert(BYTES, bytes)?;
        let oldest = entries.first()?.map(|(number, _)| number.value());
        Ok((Totals { messages: entries.len()?, bytes, oldest }, last))
    }

    /// The oldest entries behind this number: at most so many, of a bounded size.
    pub(super) fn read(&self, after: u64, most: usize) -> Result<Vec<(u64, Bytes)>, Error> {
        let transaction = self.database.begin_read()?;
        let entries = transaction.open_table(ENTRIES)?;
        let (mut read, mut bytes) = (Vec::new(), 0);
        for entry in entries.range(after.saturating_add(1)..)?.take(most) {
            let (number, entry) = entry?;
            bytes += entry.value().len();
            if bytes > READ && !read.is_empty() {
                break;
            }
            read.push((number.value(), Bytes::copy_from_slice(entry.value())));
        }
        Ok(read)
    }
}

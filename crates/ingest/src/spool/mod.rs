//! The spool: a log on this machine's disk that takes messages and webhooks on while RabbitMQ is away.
//!
//! Guarantees, where it is turned on:
//! * [`Spool::append`] answers `Ok` only after what it was given is on disk (fsync). All of it is, or none.
//! * An entry leaves the log after the broker confirmed it, and never before; so also the next process, after a crash,
//!   publishes everything that was accepted. What was published and not yet deleted is published again, which does no
//!   harm: a worker claims a message id once, and an event counts once by its fingerprint.
//! * Entries are published in the order in which they came. While any wait, what is new goes behind them, so that the
//!   mail of one caller keeps its order. Only what RabbitMQ refuses alone, for a reason of its own, is overtaken, and what
//!   waits on a disk that fails: nothing can be written behind that.
//! * It is bounded, on disk and in memory: when it is full, or the disk fails, callers are told to try again.
//!
//! One thread, the clerk, does everything that touches the disk, and has as many requests share a write as came while
//! it was busy with the one before.

mod clerk;
mod drain;
mod entry;
mod file;
mod flight;
mod log;
mod pace;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::{Publication, PublishError};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub(crate) use self::drain::Drain;
pub(crate) use self::file::CannotOpen;
pub(crate) use self::status::Status;

/// Orders that wait for the clerk; more are refused.
const WAITING: usize = 4096;
/// Bytes of entries that wait for the clerk; more are refused.
const WAITING_BYTES: usize = 128 * 1024 * 1024;

/// Where the spool is, and how much it takes.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    /// An existing directory that no other process uses.
    pub(crate) dir: PathBuf,
    /// Most bytes of entries.
    pub(crate) limit: u64,
    /// How long the disk may take before the caller is answered.
    pub(crate) patience: Duration,
}

/// Why an entry is not in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unspooled {
    /// There is no room, or too many wait; nothing was kept.
    #[error("the spool has no room")]
    Full,
    /// The disk failed, or was too slow; it may have been kept all the same.
    #[error("the spool cannot be written")]
    Broken,
}

impl From<Unspooled> for PublishError {
    fn from(fault: Unspooled) -> Self {
        match fault {
            Unspooled::Full => Self::Busy,
            Unspooled::Broken => Self::Unconfirmed,
        }
    }
}

/// What the clerk is told to do.
enum Order {
    /// Write these down.
    Append(Append),
    /// Forget these, which are confirmed.
    Remove(Vec<u64>),
    /// No longer count these, which this build cannot read, among what waits.
    SetAside(Vec<u64>),
    /// Read the oldest behind this one, so many at most.
    Read(Read),
    /// Write down what was ordered before, and end.
    End(oneshot::Sender<()>),
}

/// Entries to write down, all or none.
struct Append {
    entries: Vec<Vec<u8>>,
    answer: oneshot::Sender<Result<(), Unspooled>>,
    /// Its part of the memory for what waits, also when nobody waits for the answer any more.
    _room: OwnedSemaphorePermit,
}

/// A look at the oldest entries behind one.
struct Read {
    after: u64,
    most: usize,
    answer: oneshot::Sender<Vec<(u64, Bytes)>>,
}

/// A handle on the spool; clones share it.
#[derive(Clone)]
pub(crate) struct Spool {
    orders: mpsc::Sender<Order>,
    /// In bytes.
    room: Arc<Semaphore>,
    patience: Duration,
    status: watch::Receiver<Status>,
}

impl Spool {
    /// Opens the log, with what an earlier process left in it, and starts the clerk.
    pub(crate) async fn open(settings: SpoolSettings) -> Result<Self, CannotOpen> {
        let (orders, taken) = mpsc::channel(WAITING);
        let file = file::File::at(&settings.dir);
        let status = clerk::start(move || file.open(), settings.limit, taken).await?;
        Ok(Self::new(orders, settings.patience, status))
    }

    fn new(orders: mpsc::Sender<Order>, patience: Duration, status: watch::Receiver<Status>) -> Self {
        Self { orders, room: Arc::new(Semaphore::new(WAITING_BYTES)), patience, status }
    }

    /// Whether anything waits here that what comes now is to go behind.
    pub(crate) fn goes_first(&self) -> bool {
        self.status.borrow().goes_first()
    }

    /// How it is.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Writes all of these down; they are on disk when this answers `Ok`.
    pub(crate) async fn append(&self, publications: Vec<Publication>) -> Result<(), Unspooled> {
        let entries = publications.iter().map(entry::encode).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|_| Unspooled::Broken)?;
        let bytes =
            u32::try_from(entries.iter().map(Vec::len).sum::<usize>()).map_err(|_| Unspooled::Full)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| Unspooled::Full)?;
        let (answer, answered) = oneshot::channel();
        let order = Order::Append(Append { entries, answer, _room: room });
        self.orders.try_send(order).map_err(|fault| match fault {
            mpsc::error::TrySendError::Full(_) => Unspooled::Full,
            mpsc::error::TrySendError::Closed(_) => Unspooled::Broken,
        })?;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Unspooled::Broken),
        }
    }

    /// The oldest entries behind this one; none while the disk fails.
    async fn read(&self, after: u64, most: usize) -> Vec<(u64, Bytes)> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Read(Read { after, most, answer })).await;
        answered.await.unwrap_or_default()
    }

    /// Has the clerk forget entries, in its own time: what is not forgotten is published again.
    async fn remove(&self, entries: Vec<u64>) {
        let _ = self.orders.send(Order::Remove(entries)).await;
    }

    /// Has the clerk leave entries where they are, and no longer have what is new wait behind them.
    async fn set_aside(&self, entries: Vec<u64>) {
        let _ = self.orders.send(Order::SetAside(entries)).await;
    }

    /// Has the clerk look at a disk that failed, which it does before anything it is ordered to do.
    fn look_again(&self) {
        if self.status.borrow().is_broken() {
            let _ = self.orders.try_send(Order::Remove(Vec::new()));
        }
    }

    /// Waits until everything that was ordered is done, and closes the file.
    pub(crate) async fn end(&self) {
        let (answer, answered) = oneshot::channel();
        if self.orders.send(Order::End(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

#[cfg(test)]
mod tests;

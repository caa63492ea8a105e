//! The thread that does everything which touches the disk.
//!
//! It takes all orders that have come and does them in one transaction, so that many requests share one fsync. When the
//! disk fails, everybody who waits is told so, and the file is opened anew, for as long as that takes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::CannotOpen;
use super::log::{Log, Totals};
use super::status::{Status, Trouble};
use super::{Append, Order, Read, Unspooled};

/// Orders and bytes that share a transaction, which is held in memory.
const ORDERS: usize = 1024;
const BYTES: usize = 16 * 1024 * 1024;
/// Pauses between attempts to open the file anew.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The clerk.
struct Clerk<O> {
    open: O,
    limit: u64,
    /// None while the disk fails.
    log: Option<Log>,
    totals: Totals,
    /// Those that cannot be read.
    aside: BTreeSet<u64>,
    trouble: Option<Trouble>,
    again: Instant,
    pause: Duration,
    status: watch::Sender<Status>,
}

/// What is done in one transaction.
#[derive(Default)]
struct Round {
    appends: Vec<Append>,
    removed: Vec<u64>,
    aside: Vec<u64>,
    reads: Vec<Read>,
    end: Option<oneshot::Sender<()>>,
}

/// Opens the log on a thread of its own, which then does what is ordered until it is told to end.
pub(super) async fn start<O>(
    open: O,
    limit: u64,
    mut orders: mpsc::Receiver<Order>,
) -> Result<watch::Receiver<Status>, CannotOpen>
where
    O: Fn() -> Result<Database, CannotOpen> + Send + 'static,
{
    let (told, opened) = oneshot::channel();
    let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(move || {
        let log = match open_log(&open) {
            Ok(log) => log,
            Err(fault) => {
                let _ = told.send(Err(fault));
                return;
            }
        };
        let totals = log.totals();
        let first = Status::of(totals, 0, limit, None);
        first.tell_size();
        let (status, seen) = watch::channel(first);
        if totals.messages > 0 {
            tracing::info!(
                messages = totals.messages,
                bytes = totals.bytes,
                "spool: an earlier process left mail"
            );
        }
        let _ = told.send(Ok(seen));
        let (again, pause) = (Instant::now(), FIRST_PAUSE);
        let aside = BTreeSet::new();
        let mut clerk =
            Clerk { open, limit, log: Some(log), totals, aside, trouble: None, again, pause, status };
        while let Some(first) = orders.blocking_recv() {
            let round = Round::gather(first, &mut orders);
            if let Some(ended) = clerk.work(round) {
                clerk.log = None;
                let _ = ended.send(());
                return;
            }
        }
    });
    let unusable = |fault: String| CannotOpen::Unusable { path: "a thread".into(), fault };
    thread.map_err(|fault| unusable(fault.to_string()))?;
    opened.await.map_err(|_| unusable("it ended".to_owned()))?
}

/// The store may panic over what it finds; that ends nobody.
fn open_log(open: impl Fn() -> Result<Database, CannotOpen>) -> Result<Log, CannotOpen> {
    let damaged = |fault: String| CannotOpen::Damaged { path: "spool".into(), fault };
    let opened =
        catch_unwind(AssertUnwindSafe(|| Log::new(open()?).map_err(|fault| damaged(fault.to_string()))));
    opened.unwrap_or_else(|_| Err(damaged("the store panicked".to_owned())))
}

impl Round {
    /// The first order with those that have come meanwhile.
    fn gather(first: Order, orders: &mut mpsc::Receiver<Order>) -> Self {
        let (mut this, mut bytes) = (Self::default(), 0);
        let mut next = Some(first);
        for taken in 1..=ORDERS {
            match next {
                Some(Order::Append(append)) => {
                    bytes += append.entries.iter().map(Vec::len).sum::<usize>();
                    this.appends.push(append);
                }
                Some(Order::Remove(entries)) => this.removed.extend(entries),
                Some(Order::SetAside(entries)) => this.aside.extend(entries),
                Some(Order::Read(read)) => this.reads.push(read),
                Some(Order::End(answer)) => this.end = Some(answer),
                None => break,
            }
            // What is taken out of the channel must find its place in this round.
            let more = taken < ORDERS && bytes < BYTES && this.end.is_none();
            next = if more { orders.try_recv().ok() } else { None };
        }
        this
    }
}

impl<O: Fn() -> Result<Database, CannotOpen>> Clerk<O> {
    /// Does a round, and tells everybody what became of it.
    fn work(&mut self, round: Round) -> Option<oneshot::Sender<()>> {
        self.open_anew();
        let Round { appends, removed, aside, reads, end } = round;
        self.aside.extend(aside);
        let (fitting, others) = self.with_room(appends);
        let done = self.write(&fitting, &removed);
        self.show(if done.is_ok() { count(&fitting) } else { 0 });
        for append in others {
            let _ = append.answer.send(Err(Unspooled::Full));
        }
        for append in fitting {
            let _ = append.answer.send(done);
        }
        for Read { after, most, answer } in reads {
            let read = self.attempt(|log| log.read(after, most));
            let _ = answer.send(read.unwrap_or_default());
        }
        end
    }

    /// Those appends for which there is room, and the others.
    fn with_room(&mut self, appends: Vec<Append>) -> (Vec<Append>, Vec<Append>) {
        let mut bytes = self.totals.bytes;
        let limit = self.limit;
        let (fitting, others): (Vec<_>, Vec<_>) = appends.into_iter().partition(|append| {
            let more = append.entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
            let fits = bytes.saturating_add(more) <= limit;
            bytes += if fits { more } else { 0 };
            fits
        });
        // One that is too large for what room there is says nothing of the others.
        if self.trouble.is_none() && !others.is_empty() && bytes > limit / 10 * 9 {
            self.trouble = Some(Trouble::Full);
        }
        (fitting, others)
    }

    fn write(&mut self, fitting: &[Append], removed: &[u64]) -> Result<(), Unspooled> {
        if self.log.is_none() {
            return Err(Unspooled::Broken);
        }
        if fitting.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let entries = fitting.iter().flat_map(|append| &append.entries);
        self.attempt(|log| log.commit(removed, entries)).ok_or(Unspooled::Broken)?;
        // Nine tenths, so that a spool at its limit is not full and not full by turns.
        if self.trouble == Some(Trouble::Full) && self.totals.bytes <= self.limit / 10 * 9 {
            self.trouble = None;
        }
        Ok(())
    }

    /// Uses the log. After a fault, a panic of the store included, it is closed, to be opened anew.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Log) -> Result<T, redb::Error>) -> Option<T> {
        let log = self.log.as_mut()?;
        let fault = match catch_unwind(AssertUnwindSafe(|| act(log))) {
            Ok(Ok(value)) => {
                self.totals = log.totals();
                return Some(value);
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "the store panicked".to_owned(),
        };
        self.fail(fault);
        None
    }

    fn fail(&mut self, fault: String) {
        let log = self.log.take();
        // After a panic another may come while it is closed.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(log)));
        self.trouble = Some(Trouble::Broken(fault));
        self.again = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.show(0);
    }

    fn open_anew(&mut self) {
        if self.log.is_some() || Instant::now() < self.again {
            return;
        }
        match open_log(&self.open) {
            Ok(log) => {
                self.totals = log.totals();
                self.log = Some(log);
                // It may be another file; what is there is read again in any case.
                self.aside.clear();
                self.trouble = None;
                self.pause = FIRST_PAUSE;
                self.show(0);
            }
            Err(fault) => self.fail(fault.to_string()),
        }
    }

    /// Lets everybody see how things are, before any answer tells of it.
    fn show(&self, added: u64) {
        let next = Status::of(self.totals, self.aside.len() as u64, self.limit, self.trouble.clone());
        let before = self.status.send_replace(next.clone());
        let removed = (before.messages + added).saturating_sub(next.messages);
        next.tell(&before, (added, removed));
    }
}

fn count(appends: &[Append]) -> u64 {
    appends.iter().map(|append| append.entries.len() as u64).sum()
}

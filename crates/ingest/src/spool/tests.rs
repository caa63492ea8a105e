//! The spool without a broker: what is on disk, in which order, how much of it, and what a disk that fails does.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, io};

use broker::Queue;
use redb::backends::FileBackend;
use redb::{BackendError, Builder, StorageBackend};
use tempfile::TempDir;

use super::status::Trouble;
use super::*;

/// Longer than any test.
const PATIENCE: Duration = Duration::from_mins(10);

fn settings(dir: &Path, limit: u64) -> SpoolSettings {
    SpoolSettings { dir: dir.to_owned(), limit, patience: PATIENCE }
}

fn publication(id: &str, bytes: usize) -> Publication {
    Publication {
        queue: Queue::Sends,
        message_id: id.to_owned(),
        content_type: "text/plain".into(),
        headers: Vec::new(),
        body: vec![b'x'; bytes].into(),
    }
}

/// The ids of everything in it, in order, with the numbers.
async fn content(spool: &Spool) -> Vec<(u64, String)> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let read = spool.read(after, 7).await;
        let Some(&(last, _)) = read.last() else { return all };
        after = last;
        let id = |bytes| entry::decode(bytes).unwrap().message_id;
        all.extend(read.iter().map(|(number, bytes)| (*number, id(bytes))));
    }
}

async fn ids(spool: &Spool) -> Vec<String> {
    content(spool).await.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn order_is_kept_over_removals_and_processes() {
    let dir = TempDir::new().unwrap();
    let spool = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    for id in 0..20 {
        spool
            .append(vec![publication(&format!("{id}a"), 9), publication(&format!("{id}b"), 9)])
            .await
            .unwrap();
    }
    let all = content(&spool).await;
    let expected: Vec<String> = (0..20).flat_map(|id| [format!("{id}a"), format!("{id}b")]).collect();
    assert_eq!(ids(&spool).await, expected);
    spool.remove(all[..11].iter().map(|(number, _)| *number).collect()).await;
    spool.remove(vec![1, all[0].0]).await;
    assert_eq!(ids(&spool).await, expected[11..]);
    let before = spool.status().borrow().clone();
    spool.end().await;
    assert_eq!(spool.append(vec![publication("late", 9)]).await, Err(Unspooled::Broken));

    let again = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    assert_eq!(*again.status().borrow(), before);
    again.append(vec![publication("new", 9)]).await.unwrap();
    let mut rest = expected[11..].to_vec();
    rest.push("new".to_owned());
    assert_eq!(ids(&again).await, rest);
}

#[tokio::test]
async fn it_is_bounded_and_takes_a_request_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let spool = Spool::open(settings(dir.path(), 10_000)).await.unwrap();
    spool.append(vec![publication("1", 4000)]).await.unwrap();
    let two = vec![publication("2", 4000), publication("3", 4000)];
    assert_eq!(spool.append(two.clone()).await, Err(Unspooled::Full));
    assert_eq!(spool.status().borrow().trouble, None, "it is too large, and there is room for others");
    spool.append(vec![publication("4", 100)]).await.unwrap();
    assert_eq!(ids(&spool).await, ["1", "4"]);
    let first = content(&spool).await[0].0;
    spool.remove(vec![first]).await;
    assert_eq!(ids(&spool).await, ["4"]);
    spool.append(two).await.unwrap();
    assert_eq!(ids(&spool).await, ["4", "2", "3"]);
    let status = spool.status().borrow().clone();
    assert_eq!((status.trouble, status.messages), (None, 3));
    assert!((8100..=10_000).contains(&status.bytes), "{}", status.bytes);
    spool.append(vec![publication("5", 850)]).await.unwrap();
    assert_eq!(spool.append(vec![publication("6", 4000)]).await, Err(Unspooled::Full));
    assert_eq!(spool.status().borrow().trouble, Some(Trouble::Full));
    let first = content(&spool).await[0].0;
    spool.remove(vec![first]).await;
    assert_eq!(ids(&spool).await, ["2", "3", "5"]);
    assert_eq!(spool.status().borrow().trouble, Some(Trouble::Full), "not full and full by turns");
    spool.remove(vec![content(&spool).await[0].0]).await;
    assert_eq!(ids(&spool).await, ["3", "5"]);
    assert_eq!(spool.status().borrow().trouble, None);
}

/// A disk that fails on demand, and counts how often it was made to keep what was written.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    fails: Arc<AtomicBool>,
    syncs: Arc<AtomicU64>,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        if self.fails.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check().and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.check().and_then(|()| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check().and_then(|()| self.file.write(offset, data))
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

/// A spool on such a disk, with these orders waiting for it already.
async fn on_a_bad_disk(dir: &TempDir, waiting: Vec<Order>) -> (Spool, Arc<AtomicBool>, Arc<AtomicU64>) {
    let (fails, syncs) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let (orders, taken) = mpsc::channel(WAITING);
    for order in waiting {
        orders.try_send(order).map_err(drop).unwrap();
    }
    let (path, switch, count) = (dir.path().join("spool"), Arc::clone(&fails), Arc::clone(&syncs));
    let open = move || {
        let unusable = |fault: String| CannotOpen::Unusable { path: path.clone(), fault };
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = FileBackend::new(file.map_err(|fault| unusable(fault.to_string()))?);
        let file = file.map_err(|fault| unusable(fault.to_string()))?;
        let disk = Disk { file, fails: Arc::clone(&switch), syncs: Arc::clone(&count) };
        Builder::new().create_with_backend(disk).map_err(|fault| unusable(fault.to_string()))
    };
    let status = clerk::start(open, 1 << 20, taken).await.unwrap();
    (Spool::new(orders, PATIENCE, status), fails, syncs)
}

#[tokio::test]
async fn many_requests_share_a_write() {
    let dir = TempDir::new().unwrap();
    let room = Arc::new(Semaphore::new(0));
    let (answers, orders): (Vec<_>, Vec<_>) = (0..3000)
        .map(|id| {
            let (answer, answered) = oneshot::channel();
            let entries = vec![entry::encode(&publication(&id.to_string(), 10)).unwrap()];
            let room = Arc::clone(&room).try_acquire_many_owned(0).unwrap();
            (answered, Order::Append(Append { entries, answer, _room: room }))
        })
        .unzip();
    let (spool, _, syncs) = on_a_bad_disk(&dir, orders).await;
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    let for_all = syncs.load(Ordering::Relaxed);
    spool.append(vec![publication("another", 10)]).await.unwrap();
    let for_one = syncs.load(Ordering::Relaxed) - for_all;
    assert!(for_one > 0 && for_all < 20, "{for_all} writes for 3000 requests, and {for_one} for one");
    assert_eq!(ids(&spool).await.len(), 3001);
}

#[tokio::test]
async fn a_disk_that_fails_is_told_and_found_again() {
    let dir = TempDir::new().unwrap();
    let (spool, fails, _) = on_a_bad_disk(&dir, Vec::new()).await;
    spool.append(vec![publication("1", 10)]).await.unwrap();
    fails.store(true, Ordering::Relaxed);
    assert_eq!(spool.append(vec![publication("2", 10)]).await, Err(Unspooled::Broken));
    assert_eq!(spool.append(vec![publication("3", 10)]).await, Err(Unspooled::Broken));
    let status = spool.status().borrow().clone();
    assert!(matches!(status.trouble, Some(Trouble::Broken(_))) && status.shut(false).is_some(), "{status:?}");
    assert!(!spool.goes_first() && status.shut(true).is_none(), "the queue is good enough while it is there");
    assert_eq!(spool.read(0, 10).await, [], "nothing is read of what may be half written");
    fails.store(false, Ordering::Relaxed);
    // Nobody appends meanwhile.
    while spool.status().borrow().is_broken() {
        spool.look_again();
        tokio::task::yield_now().await;
    }
    spool.append(vec![publication("4", 10)]).await.unwrap();
    assert!(spool.goes_first());
    let ids = ids(&spool).await;
    assert_eq!((ids.first().map(String::as_str), ids.last().map(String::as_str)), (Some("1"), Some("4")));
    assert_eq!(spool.status().borrow().trouble, None);
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_apart() {
    let dir = TempDir::new().unwrap();
    let open =
        async |path: &Path| Spool::open(settings(path, 1 << 20)).await.err().map(|fault| fault.to_string());
    let missing = open(&dir.path().join("missing")).await.unwrap();
    assert!(missing.contains("no directory"), "{missing}");

    let first = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    first.append(vec![publication("1", 100_000)]).await.unwrap();
    let second = open(dir.path()).await.unwrap();
    assert!(second.contains("another process"), "{second}");
    first.end().await;

    let file = dir.path().join("spool.redb");
    let whole = fs::read(&file).unwrap();
    let body = whole.windows(64).position(|part| part == [b'x'; 64]).unwrap();
    let mut flipped = whole.clone();
    flipped[body + 500] ^= 1;
    for damaged in [b"not a store".to_vec(), flipped, whole[..whole.len() / 2].to_vec()] {
        fs::write(&file, damaged).unwrap();
        let fault = open(dir.path()).await.unwrap();
        assert!(fault.contains("is damaged") && fault.contains("move that file away"), "{fault}");
    }
    fs::write(&file, whole).unwrap();
    fs::write(dir.path().join("spool.redb.new"), "of a process that ended while it made the file").unwrap();
    let mended = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    assert_eq!(ids(&mended).await, ["1"]);
    assert_eq!(names(dir.path()), ["spool.redb"]);
}

/// What is in a directory.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_file_has_its_name_only_when_it_is_whole() {
    let dir = TempDir::new().unwrap();
    // The bytes with which the store begins, before it is one.
    fs::write(dir.path().join("spool.redb.new"), [0; 4096]).unwrap();
    let spool = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    assert_eq!(names(dir.path()), ["spool.redb"]);
    let second = Spool::open(settings(dir.path(), 1 << 20)).await.err().unwrap().to_string();
    assert!(second.contains("another process"), "{second}");
    spool.append(vec![publication("1", 10)]).await.unwrap();
    spool.end().await;
    let again = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    assert_eq!(ids(&again).await, ["1"]);
}

#[tokio::test]
async fn a_torn_end_takes_nothing_away_that_was_answered() {
    let dir = TempDir::new().unwrap();
    let spool = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    for id in 0..50 {
        spool.append(vec![publication(&id.to_string(), 1000)]).await.unwrap();
    }
    // The file as it is while a process has it open is what a crash would leave.
    let crashed = TempDir::new().unwrap();
    fs::copy(dir.path().join("spool.redb"), crashed.path().join("spool.redb")).unwrap();
    let found = Spool::open(settings(crashed.path(), 1 << 20)).await.unwrap();
    assert_eq!(ids(&found).await, (0..50).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(*found.status().borrow(), *spool.status().borrow());
}

/// A spool whose clerk is stuck, with the orders that wait for it.
fn with_a_disk_that_hangs() -> (Spool, mpsc::Receiver<Order>, watch::Sender<Status>) {
    let (orders, waiting) = mpsc::channel(WAITING);
    let (told, status) = watch::channel(Status::default());
    (Spool::new(orders, Duration::from_secs(5), status), waiting, told)
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_keeps_nobody_waiting() {
    let (spool, _waiting, _told) = with_a_disk_that_hangs();
    assert_eq!(spool.append(vec![publication("1", 10)]).await, Err(Unspooled::Broken));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_disk_is_bounded_in_bytes() {
    let (spool, mut waiting, _told) = with_a_disk_that_hangs();
    let mib = || vec![publication("1", 10 << 20)];
    // Nobody waits for these any more, and they are in memory all the same.
    for _ in 0..=WAITING_BYTES / (11 << 20) {
        assert_eq!(spool.append(mib()).await, Err(Unspooled::Broken));
    }
    assert_eq!(spool.append(mib()).await, Err(Unspooled::Full));
    drop(waiting.try_recv());
    assert_eq!(spool.append(mib()).await, Err(Unspooled::Broken));
}

#[tokio::test]
async fn what_cannot_be_read_holds_nobody_up() {
    let dir = TempDir::new().unwrap();
    let spool = Spool::open(settings(dir.path(), 1 << 20)).await.unwrap();
    spool.append(vec![publication("1", 10), publication("2", 10)]).await.unwrap();
    let all = content(&spool).await;
    for _ in 0..2 {
        spool.set_aside(vec![all[0].0]).await;
        assert_eq!(ids(&spool).await, ["1", "2"]);
        assert!(spool.goes_first(), "the other one waits");
    }
    spool.remove(vec![all[1].0]).await;
    assert_eq!(ids(&spool).await, ["1"], "it is kept");
    assert!(!spool.goes_first());
    spool.append(vec![publication("3", 10)]).await.unwrap();
    assert!(spool.goes_first());
    let status = spool.status().borrow().clone();
    assert_eq!((status.messages, status.waiting()), (2, 1));
}

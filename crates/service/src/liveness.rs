//! Whether a restart would help: something has been at one turn for longer than it ever should, or has ended by itself.
//!
//! Guarantee: what a process depends on never makes it sick. Whoever waits for others does so within bounds, or outside
//! of a turn; a turn that ends in failure has ended all the same.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time is counted in these. Only a process that runs counts them, so that one which was stopped, or whose machine was
/// suspended, is not sick when it goes on.
const TICK: Duration = Duration::from_secs(1);
/// Ticks that no turn ever takes: statements, calls and waits are all bounded by far less.
const HUNG: u64 = 600;
/// How often the runtime shows that it still turns.
const PULSE: Duration = Duration::from_secs(5);

/// What a process does that must not stop; clones share it.
#[derive(Clone)]
pub struct Liveness(Arc<Inner>);

struct Inner {
    /// Ticks so far.
    now: AtomicU64,
    turns: Mutex<Turns>,
    tasks: Mutex<Vec<Task>>,
    shutdown: CancellationToken,
}

#[derive(Default)]
struct Turns {
    next: u64,
    /// With the tick at which each began.
    open: HashMap<u64, (&'static str, u64)>,
}

/// A task that runs until shutdown.
struct Task {
    name: String,
    ended: Box<dyn Fn() -> bool + Send + Sync>,
}

/// One turn of something; it ends when this is dropped, however that comes.
#[must_use = "the turn ends when this is dropped"]
pub struct Turn {
    liveness: Arc<Inner>,
    number: u64,
}

impl Liveness {
    /// Begins to count, on a thread of its own: a runtime that hangs counts nothing. After `shutdown` tasks may end.
    pub fn start(shutdown: CancellationToken) -> io::Result<Self> {
        let this = Self::new(shutdown);
        let counted = Arc::downgrade(&this.0);
        std::thread::Builder::new().name("liveness".to_owned()).spawn(move || count(&counted))?;
        Ok(this)
    }

    fn new(shutdown: CancellationToken) -> Self {
        let inner =
            Inner { now: AtomicU64::new(0), turns: Mutex::default(), tasks: Mutex::default(), shutdown };
        Self(Arc::new(inner))
    }

    /// Begins a turn of what is called `name`. There may be several at once.
    pub fn turn(&self, name: &'static str) -> Turn {
        let began = self.0.now.load(Ordering::Relaxed);
        let mut turns = self.0.turns();
        let number = turns.next;
        turns.next += 1;
        turns.open.insert(number, (name, began));
        drop(turns);
        Turn { liveness: Arc::clone(&self.0), number }
    }

    /// Has an eye on the task that holds the other end of `told`, until shutdown.
    pub fn watch<T: Send + Sync + 'static>(&self, name: impl Into<String>, told: &watch::Receiver<T>) {
        let told = told.clone();
        let ended = Box::new(move || told.has_changed().is_err());
        let task = Task { name: name.into(), ended };
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Shows that the runtime turns, until shutdown.
    pub async fn pulse(self, shutdown: CancellationToken) {
        loop {
            let _turn = self.turn("runtime");
            if shutdown.run_until_cancelled(tokio::time::sleep(PULSE)).await.is_none() {
                return;
            }
        }
    }

    /// What a restart would help against, a line each.
    pub fn faults(&self) -> Vec<String> {
        let now = self.0.now.load(Ordering::Relaxed);
        let turns = self.0.turns();
        let hung = turns.open.values().filter(|(_, began)| now.saturating_sub(*began) > HUNG);
        let mut faults: Vec<String> =
            hung.map(|(name, began)| format!("{name}: at one turn for {} s", now - began)).collect();
        drop(turns);
        if !self.0.shutdown.is_cancelled() {
            let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = tasks.iter().filter(|task| (task.ended)());
            faults.extend(ended.map(|task| format!("{}: has ended", task.name)));
        }
        faults.sort_unstable();
        faults
    }
}

impl Inner {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Begins the turn anew, where it has come a step further.
    pub fn renew(&self) {
        let now = self.liveness.now.load(Ordering::Relaxed);
        if let Some((_, began)) = self.liveness.turns().open.get_mut(&self.number) {
            *began = now;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.liveness.turns().open.remove(&self.number);
    }
}

/// Counts for as long as anybody is interested.
#[expect(clippy::disallowed_methods, reason = "this thread is its own, and none of a runtime's")]
fn count(counted: &Weak<Inner>) {
    loop {
        std::thread::sleep(TICK);
        let Some(inner) = counted.upgrade() else { return };
        inner.now.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn pass(liveness: &Liveness, ticks: u64) {
        liveness.0.now.fetch_add(ticks, Ordering::Relaxed);
    }

    #[test]
    fn a_turn_that_never_ends_is_told_and_others_are_not() {
        let liveness = Liveness::new(CancellationToken::new());
        let hung = liveness.turn("hung");
        pass(&liveness, HUNG);
        let young = liveness.turn("young");
        assert!(liveness.faults().is_empty(), "it may still end");
        pass(&liveness, 1);
        assert_eq!(liveness.faults(), ["hung: at one turn for 601 s"]);
        hung.renew();
        assert!(liveness.faults().is_empty(), "it has come further");
        drop((hung, young));
        assert!(liveness.faults().is_empty(), "it ended after all");
    }

    #[test]
    fn a_turn_ends_with_a_panic() {
        let liveness = Liveness::new(CancellationToken::new());
        let theirs = liveness.clone();
        let panicked = std::thread::spawn(move || {
            let _turn = theirs.turn("panicking");
            panic!("as a defect would");
        });
        assert!(panicked.join().is_err());
        pass(&liveness, HUNG + 1);
        assert!(liveness.faults().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_for_others_is_well_for_ever() {
        let liveness = Liveness::new(CancellationToken::new());
        let theirs = liveness.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let turn = theirs.turn("loop");
                tokio::time::sleep(Duration::from_secs(30)).await;
                drop(turn);
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
        });
        for _ in 0..5 * HUNG {
            tokio::time::sleep(TICK).await;
            pass(&liveness, 1);
            assert!(liveness.faults().is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_is_well_when_it_goes_on() {
        let liveness = Liveness::new(CancellationToken::new());
        let _turn = liveness.turn("loop");
        // By the clock it is much too late; nobody has counted meanwhile.
        tokio::time::advance(Duration::from_hours(24)).await;
        pass(&liveness, 1);
        assert!(liveness.faults().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_hangs_is_told() {
        let liveness = Liveness::new(CancellationToken::new());
        let mut pulse = JoinSet::new();
        pulse.spawn(liveness.clone().pulse(CancellationToken::new()));
        for _ in 0..2 * HUNG {
            tokio::time::sleep(TICK).await;
            pass(&liveness, 1);
        }
        assert!(liveness.faults().is_empty());
        // Nothing of the runtime gets its turn from here on.
        pass(&liveness, HUNG + 10);
        assert_eq!(liveness.faults().len(), 1);
    }

    #[test]
    fn a_task_that_ended_by_itself_is_told_until_shutdown() {
        let shutdown = CancellationToken::new();
        let liveness = Liveness::new(shutdown.clone());
        let (told, state) = watch::channel(());
        liveness.watch("task", &state);
        assert!(liveness.faults().is_empty());
        drop(told);
        assert_eq!(liveness.faults(), ["task: has ended"]);
        shutdown.cancel();
        assert!(liveness.faults().is_empty(), "at the end everything ends");
    }
}

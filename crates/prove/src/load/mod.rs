//! The load: clients that send, post webhooks, manage and read, and try again as real ones do.

mod hooks;
mod manage;
mod read;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::Answer;
use crate::program::Program;
use crate::site::Site;
use crate::told::Told;

pub(crate) use hooks::Copies;
pub(crate) use read::{Followed, Follower, number};

/// Pauses between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) site: Site,
    pub(crate) told: Told,
    /// Nothing new is begun any more.
    ended: AtomicBool,
    /// What has not been answered by now is given up.
    hopeless: AtomicBool,
    turn: AtomicUsize,
    /// Things that clients are at.
    pub(crate) open: AtomicU64,
}

/// The clients at work.
pub(crate) struct Clients {
    tasks: JoinSet<Result<()>>,
}

impl Load {
    /// Nothing has happened yet.
    pub(crate) fn new(site: Site) -> Arc<Self> {
        Arc::new(Self {
            site,
            told: Told::default(),
            ended: AtomicBool::new(false),
            hopeless: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            open: AtomicU64::new(0),
        })
    }

    /// The ingest whose turn it is.
    pub(crate) fn ingest(&self) -> &Program {
        self.site.ingest(self.turn.fetch_add(1, Ordering::Relaxed))
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Begins one thing after the other, at this pace, until the load has ended, and sees all through. While `most` are under
    /// way, no more are begun.
    async fn keep_beginning<F>(
        self: &Arc<Self>,
        pace: Duration,
        most: usize,
        mut next: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut under_way = JoinSet::new();
        while !self.has_ended() {
            ticks.tick().await;
            while let Some(done) = under_way.try_join_next() {
                done?;
            }
            if under_way.len() < most {
                let (load, thing) = (Arc::clone(self), next());
                under_way.spawn(async move {
                    load.open.fetch_add(1, Ordering::Relaxed);
                    thing.await;
                    load.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        }
        while let Some(done) = under_way.join_next().await {
            done?;
        }
        Ok(())
    }

    /// The patience of a client that posts something, to which only `expected` statuses are given.
    fn insist<'a>(&'a self, what: &'static str, expected: &'static [u16]) -> Insistence<'a> {
        Insistence { load: self, what, expected, pause: FIRST_PAUSE }
    }

    /// Starts all clients.
    pub(crate) fn start(self: &Arc<Self>, rate: f64, rng: &mut Rng, copies: Copies) -> Clients {
        let mut tasks = JoinSet::new();
        tasks.spawn(send::run(Arc::clone(self), rate, rng.fork()));
        tasks.spawn(hooks::run(Arc::clone(self), copies, rng.fork()));
        tasks.spawn(manage::run(Arc::clone(self), rng.fork()));
        tasks.spawn(read::run(Arc::clone(self), rng.fork()));
        Clients { tasks }
    }

    /// Messages of which nothing is told by the stand-in, so that clients can.
    pub(crate) async fn copies(&self) -> Result<Copies> {
        Copies::send(self).await
    }

    /// Follows the history of every tenant, until what all have is read.
    pub(crate) fn follow(self: &Arc<Self>) -> Follower {
        Follower::start(self)
    }
}

/// The patience of a client.
struct Insistence<'a> {
    load: &'a Load,
    what: &'static str,
    expected: &'static [u16],
    pause: Duration,
}

impl Insistence<'_> {
    /// Whether this answer is the last. One that asks to come again is not, after a pause, unless time is over.
    async fn is_over(&mut self, answer: &Answer) -> bool {
        self.load.told.note(self.what, answer, self.expected);
        if !answer.is_for_now() || self.load.hopeless.load(Ordering::Relaxed) {
            return true;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        false
    }
}

impl Clients {
    /// Begins nothing new, and waits for what has been begun; gives up what has no answer after `patience`.
    pub(crate) async fn finish(mut self, load: &Load, patience: Duration) -> Result<()> {
        load.ended.store(true, Ordering::Relaxed);
        let all = async {
            let mut outcome = Ok(());
            while let Some(task) = self.tasks.join_next().await {
                outcome = outcome.and(task.map_err(anyhow::Error::from).and_then(|done| done));
            }
            outcome
        };
        tokio::pin!(all);
        if let Ok(done) = tokio::time::timeout(patience, &mut all).await {
            return done;
        }
        load.hopeless.store(true, Ordering::Relaxed);
        all.await
    }
}

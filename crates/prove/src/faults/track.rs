//! The schedule: each track goes through its kinds in a drawn order, round after round.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::catalogue::Kind;
use super::strike::Strike;
use crate::load::Load;
use crate::recovery;

/// Tries of a fault that nobody met.
const TRIES: usize = 6;
/// The pause before a fault that nobody met is tried again: what kept clients away may be over then.
const AGAIN: Duration = Duration::from_secs(1);

/// What came of the faults so far, by name: how often each struck, and how long it took to be back, if it was.
#[derive(Debug, Default)]
pub(crate) struct Struck(Mutex<Record>);

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) kinds: BTreeMap<String, Vec<Option<Duration>>>,
    /// How long each program took at the end, when everything was healed.
    pub(crate) healed: Vec<Option<Duration>>,
    /// Faults that could not be injected, or did not end as they should, and how that was.
    pub(crate) broken_off: Vec<String>,
    /// What strikes at this moment, by track.
    pub(crate) now: BTreeMap<usize, String>,
}

impl Struck {
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// How often faults struck in all.
    pub(crate) fn total(&self) -> usize {
        self.kinds.values().map(Vec::len).sum()
    }

    /// Which kinds struck less than so many times, and how often.
    pub(crate) fn seldom(&self, rounds: usize) -> impl Iterator<Item = (&str, usize)> {
        let times = self.kinds.iter().map(|(kind, all)| (kind.as_str(), all.len()));
        times.filter(move |(_, times)| *times < rounds)
    }

    /// How often the kind struck that struck least.
    pub(crate) fn fewest(&self) -> usize {
        self.kinds.values().map(Vec::len).min().unwrap_or_default()
    }
}

/// The tracks at work.
pub(crate) struct Tracks {
    tasks: JoinSet<()>,
}

/// How long a track goes on: for this many rounds, and until this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) rounds: usize,
    pub(crate) moment: Instant,
}

impl Tracks {
    /// Starts one for each list of kinds.
    pub(crate) fn start(
        load: &Arc<Load>,
        struck: &Arc<Struck>,
        kinds: [Vec<Kind>; 3],
        until: Until,
        rng: &mut Rng,
    ) -> Self {
        let mut tasks = JoinSet::new();
        for (number, kinds) in kinds.into_iter().enumerate() {
            for kind in &kinds {
                struck.record().kinds.insert(kind.to_string(), Vec::new());
            }
            let track = Track { load: Arc::clone(load), struck: Arc::clone(struck), number, rng: rng.fork() };
            tasks.spawn(track.run(kinds, until));
        }
        Self { tasks }
    }

    /// Waits for the end of all. One that breaks off ends neither the others nor the run: what it had done so far is compared
    /// all the same.
    pub(crate) async fn finish(&mut self, struck: &Struck) {
        while let Some(task) = self.tasks.join_next().await {
            if let Err(fault) = task {
                struck.record().broken_off.push(format!("a track: {fault}"));
            }
        }
    }
}

struct Track {
    load: Arc<Load>,
    struck: Arc<Struck>,
    number: usize,
    rng: Rng,
}

impl Track {
    async fn run(mut self, mut kinds: Vec<Kind>, until: Until) {
        let mut round = 0;
        while !kinds.is_empty() && (round < until.rounds || Instant::now() < until.moment) {
            self.rng.shuffle(&mut kinds);
            for kind in &kinds {
                if round >= until.rounds && Instant::now() >= until.moment {
                    break;
                }
                self.strike(kind).await;
                sleep(Duration::from_millis(self.rng.u64(..800))).await;
            }
            round += 1;
        }
    }

    /// What goes wrong with it is noted, and the track goes on with its next kind: what was lost before has to be found out
    /// in the end.
    async fn strike(&mut self, kind: &Kind) {
        let name = kind.to_string();
        // Of its own, so that what follows does not depend on how often it is tried.
        let mut rng = self.rng.fork();
        for _ in 0..TRIES {
            let strike = Strike::draw(kind.clone(), &self.load.site, &mut rng);
            self.struck.record().now.insert(self.number, name.clone());
            let gone = strike.run(&self.load.site).await;
            self.struck.record().now.remove(&self.number);
            let gone = match gone {
                Ok(Some(gone)) => gone,
                Ok(None) => {
                    sleep(AGAIN).await;
                    continue;
                }
                Err(fault) => return self.struck.record().broken_off.push(format!("{name}: {fault:#}")),
            };
            let tenant = match kind {
                Kind::Mailjet(_) => strike.tenant,
                _ => self.load.site.tenants.len(),
            };
            let programs: Vec<_> = match kind {
                Kind::Rabbitmq(_) | Kind::Postgres(_) => self.load.site.programs().collect(),
                _ => strike.programs(&self.load.site).collect(),
            };
            let back = recovery::measure(&self.load, tenant, &programs, gone).await;
            self.struck.record().kinds.entry(name).or_default().push(back);
            return;
        }
        self.struck.record().broken_off.push(format!("{name}: nobody met it in {TRIES} tries"));
    }
}

//! One run: start, break, heal, wait until it is quiet, compare.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::faults::{Kind, Struck, Tracks, Until, catalogue};
use crate::load::{Follower, Load};
use crate::options::Options;
use crate::program::Program;
use crate::progress;
use crate::recovery;
use crate::site::Site;
use crate::verdict::{Findings, Ledgers, Report, compare, compare_followed};

/// How long clients try on once everything is healed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long nothing may get better before what is wrong counts as wrong.
const NO_PROGRESS: Duration = Duration::from_secs(45);
/// When the last of what clients had put off is due.
const LATEST: Duration = Duration::from_secs(25);
/// The pause between two comparisons.
const PAUSE: Duration = Duration::from_secs(3);
/// Looks after which the figures of queues are those of the present: a node gathers them every five seconds.
const FIGURES: usize = 12;
/// How often programs are looked at.
const WATCH: Duration = Duration::from_millis(500);

/// What programs did that they should never do, each once.
type Misdeeds = Arc<Mutex<BTreeMap<String, u64>>>;

/// Runs; answers whether everything held.
pub(crate) async fn run(options: &Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut rng = Rng::with_seed(seed);
    eprintln!("  seed {seed}; starting two ingests, three workers and the stand-in for Mailjet");
    let load = Load::new(Site::start(options, seed).await?);
    let struck = Arc::<Struck>::default();
    let kinds = chosen(catalogue(load.site.simulator.kinds().await?), &options.only)?;
    let copies = load.copies().await?;
    let misdeeds = Misdeeds::default();
    let mut watching = JoinSet::new();
    watching.spawn(watch(Arc::clone(&load), Arc::clone(&misdeeds)));
    let begun = Instant::now();
    let follower = load.follow();
    let clients = load.start(options.rate, &mut rng, copies);

    let until = Until { rounds: options.rounds(), moment: begun + options.duration() };
    let mut tracks = Tracks::start(&load, &struck, kinds, until, &mut rng);
    tokio::select! {
        () = tracks.finish(&struck) => {}
        () = progress::show(&load, &struck, until.rounds) => {}
    }
    progress::done();
    let broken = begun.elapsed();
    eprintln!("  {} faults in {} s; everything is healed now", struck.record().total(), broken.as_secs());

    let (healed, mut undone) = (Instant::now(), Undone::default());
    heal(&load, &struck, &mut undone).await;
    undone.keep("the clients", clients.finish(&load, PATIENCE).await);
    let finished = Instant::now();
    quiet(&load).await;
    // What was withdrawn must not go out at its time either.
    sleep_until(finished + LATEST).await;
    settled(&load).await;
    let findings = compared(&load, follower, &mut undone).await;
    watching.shutdown().await;
    let attempts = undone.keep("reading what attempts came to", load.site.servers.attempts().await);
    let panics = undone.keep("looking for panics in the logs", panics(options));
    let report = Report {
        seed,
        rounds: until.rounds,
        broken,
        quiet: healed.elapsed(),
        book: &load.told.book(),
        findings: &findings,
        attempts,
        struck: &struck.record(),
        spooled: load.site.spooling().map(Program::spooled).sum(),
        undone: undone.0,
        misdeeds: misdeeds.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        panics,
    };
    println!("{report}");
    Ok(report.holds())
}

/// What the proof itself could not do. It goes on all the same, since what was found out until then has to be shown.
#[derive(Debug, Default)]
struct Undone(Vec<String>);

impl Undone {
    /// What came of a step; nothing where it failed, which is noted.
    fn keep<T: Default>(&mut self, step: &str, outcome: Result<T>) -> T {
        outcome.unwrap_or_else(|fault| {
            self.0.push(format!("{step}: {fault:#}"));
            T::default()
        })
    }
}

/// The kinds whose names contain one of these words, or all. A word that none contains is a mistake.
fn chosen(kinds: [Vec<Kind>; 3], only: &[String]) -> Result<[Vec<Kind>; 3]> {
    let is_named = |kind: &Kind, word: &String| kind.to_string().contains(word);
    for word in only {
        let known = kinds.iter().flatten().any(|kind| is_named(kind, word));
        ensure!(known, "there is no fault with `{word}` in its name");
    }
    let wanted = |kind: &Kind| only.is_empty() || only.iter().any(|word| is_named(kind, word));
    Ok(kinds.map(|kinds| kinds.into_iter().filter(wanted).collect()))
}

/// Ends all faults, and finds out how long each program takes until it can work again.
async fn heal(load: &Load, struck: &Struck, undone: &mut Undone) {
    let healed = Instant::now();
    let broken_off = !struck.record().broken_off.is_empty();
    if broken_off {
        undone.keep("mending the servers", load.site.servers.mend().await);
        for program in load.site.programs() {
            program.resume().await;
        }
    }
    undone.keep("healing", load.site.heal().await);
    for program in load.site.programs() {
        let back = recovery::measure(load, load.site.tenants.len(), &[program], healed).await;
        struck.record().healed.push(back);
    }
}

/// What the comparison finds once nothing more comes that readers could miss; nothing where a ledger cannot be read.
async fn compared(load: &Load, follower: Follower, undone: &mut Undone) -> Findings {
    let followed = undone.keep("following the histories", follower.finish().await.map(Some));
    let ledgers = undone.keep("reading the ledgers", Ledgers::read(&load.site).await.map(Some));
    let Some(ledgers) = ledgers else { return Findings::default() };
    let mut findings = compare(&load.told.book(), &ledgers);
    if let Some(followed) = followed {
        compare_followed(&ledgers, &followed, &mut findings);
    }
    findings
}

/// Notes programs that end by themselves, and such as say that they must be restarted.
async fn watch(load: Arc<Load>, misdeeds: Misdeeds) {
    loop {
        sleep(WATCH).await;
        for program in load.site.programs() {
            if program.has_spool() {
                program.follow_spool().await;
            }
            let ended = program.has_ended();
            let red =
                (program.health().await == Some(503)).then(|| format!("{}: /healthz is 503", program.name));
            for what in ended.into_iter().chain(red) {
                let mut misdeeds = misdeeds.lock().unwrap_or_else(PoisonError::into_inner);
                *misdeeds.entry(what).or_default() += 1;
            }
        }
    }
}

/// Waits until nothing waits in a queue, in a spool or at the stand-in, as long as there is less and less. RabbitMQ's
/// figures are some seconds old, so they are looked at once more.
async fn quiet(load: &Load) {
    let (mut least, mut since, mut calm) = (u64::MAX, Instant::now(), 0);
    while since.elapsed() < NO_PROGRESS {
        let queued =
            load.site.servers.queues().await.map(|queues| queues.iter().map(|(_, waiting)| waiting).sum());
        let pending =
            load.site.simulator.stats().await.map(|stats| stats["eventsPending"].as_u64().unwrap_or(0));
        let mut open = queued.unwrap_or(1_u64) + pending.unwrap_or(1);
        for program in load.site.spooling() {
            open += program.spool().await.map_or(1, |spool| spool.waiting);
        }
        calm = if open == 0 { calm + 1 } else { 0 };
        if calm > FIGURES {
            return;
        }
        if open < least {
            (least, since) = (open, Instant::now());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until nothing is wrong, as long as less and less is. What is being read while it changes may look wrong.
async fn settled(load: &Load) {
    let (mut least, mut waited) = (usize::MAX, Duration::ZERO);
    while waited < NO_PROGRESS {
        // What the last reading cannot do either is noted there.
        let Ok(ledgers) = Ledgers::read(&load.site).await else {
            waited += NO_PROGRESS / 3;
            continue;
        };
        let total = compare(&load.told.book(), &ledgers).total();
        if total == 0 {
            break;
        }
        if total < least {
            (least, waited) = (total, Duration::ZERO);
        }
        sleep(PAUSE).await;
        // Where it is not known what waits, the reading itself has waited for that.
        waited += if ledgers.unknown.is_empty() { PAUSE } else { NO_PROGRESS / 3 };
    }
}

/// Lines of all logs in which a program says that it panicked.
fn panics(options: &Options) -> Result<Vec<String>> {
    let mut panics = Vec::new();
    for entry in std::fs::read_dir(&options.folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            let lines = log.lines().filter(|line| line.contains("panicked at"));
            panics.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    Ok(panics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_name_a_fault() {
        let kinds = || catalogue(vec!["hang".to_owned(), "rate_limit".to_owned()]);
        let count = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            chosen(kinds(), &only).map(|kinds| kinds.concat().len()).map_err(|fault| fault.to_string())
        };
        assert_eq!(count(&[]), Ok(kinds().concat().len()));
        assert_eq!(count(&["rate limit", "worker: SIG"]), Ok(4));
        assert_eq!(count(&["hang", "hnag"]), Err("there is no fault with `hnag` in its name".to_owned()));
    }

    #[test]
    fn a_step_that_fails_is_noted() {
        let mut undone = Undone::default();
        assert_eq!(undone.keep("one", Ok(7)), 7);
        let failed: Result<Vec<u8>> = Err(anyhow::anyhow!("too late"));
        assert!(undone.keep("another", failed).is_empty());
        assert_eq!(undone.0, ["another: too late"]);
    }
}

//! One run: start, break, heal, wait until it is quiet, compare.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::faults::{Kind, Struck, Tracks, Until, catalogue};
use crate::load::Load;
use crate::options::Options;
use crate::progress;
use crate::recovery;
use crate::site::Site;
use crate::verdict::{Ledgers, Report, compare, compare_followed};

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
        broken_off = tracks.finish() => broken_off?,
        () = progress::show(&load, &struck, until.rounds) => {}
    }
    progress::done();
    let broken = begun.elapsed();
    eprintln!("  {} faults in {} s; everything is healed now", struck.record().total(), broken.as_secs());

    let healed = Instant::now();
    load.site.heal().await?;
    for program in load.site.programs() {
        let back = recovery::measure(&load, load.site.tenants.len(), &[program], healed).await;
        struck.record().healed.push(back);
    }
    clients.finish(&load, PATIENCE).await?;
    quiet(&load).await;
    // What was withdrawn must not go out at its time either.
    sleep_until(healed + LATEST).await;
    settled(&load).await?;
    // Only now it is certain that nothing more comes that readers could miss.
    let followed = follower.finish().await?;
    let ledgers = Ledgers::read(&load.site).await.context("the ledgers cannot be read")?;
    let mut findings = compare(&load.told.book(), &ledgers);
    compare_followed(&ledgers, &followed, &mut findings);
    watching.shutdown().await;
    let attempts = load.site.servers.attempts().await?;
    let report = Report {
        seed,
        broken,
        quiet: healed.elapsed(),
        book: &load.told.book(),
        findings: &findings,
        attempts,
        struck: &struck.record(),
        misdeeds: misdeeds.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        panics: panics(options)?,
    };
    println!("{report}");
    Ok(report.holds())
}

/// The kinds whose names contain one of these words, or all.
fn chosen(kinds: [Vec<Kind>; 3], only: &[String]) -> Result<[Vec<Kind>; 3]> {
    let wanted = |kind: &Kind| only.is_empty() || only.iter().any(|word| kind.to_string().contains(word));
    let kinds = kinds.map(|kinds| kinds.into_iter().filter(wanted).collect::<Vec<_>>());
    anyhow::ensure!(kinds.iter().any(|kinds| !kinds.is_empty()), "there is no such fault");
    Ok(kinds)
}

/// Notes programs that end by themselves, and such as say that they must be restarted.
async fn watch(load: Arc<Load>, misdeeds: Misdeeds) {
    loop {
        sleep(WATCH).await;
        for program in load.site.programs() {
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

/// Waits until nothing waits in a queue or at the stand-in, as long as there is less and less. RabbitMQ's figures are some
/// seconds old, so they are looked at once more.
async fn quiet(load: &Load) {
    let (mut least, mut since, mut calm) = (u64::MAX, Instant::now(), 0);
    while since.elapsed() < NO_PROGRESS {
        let queued =
            load.site.servers.queues().await.map(|queues| queues.iter().map(|(_, waiting)| waiting).sum());
        let pending =
            load.site.simulator.stats().await.map(|stats| stats["eventsPending"].as_u64().unwrap_or(0));
        let open = queued.unwrap_or(1_u64) + pending.unwrap_or(1);
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
async fn settled(load: &Load) -> Result<()> {
    let (mut least, mut waited) = (usize::MAX, Duration::ZERO);
    while waited < NO_PROGRESS {
        let ledgers = Ledgers::read(&load.site).await.context("the ledgers cannot be read")?;
        let total = compare(&load.told.book(), &ledgers).total();
        if total == 0 {
            break;
        }
        if total < least {
            (least, waited) = (total, Duration::ZERO);
        }
        sleep(PAUSE).await;
        waited += PAUSE;
    }
    Ok(())
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

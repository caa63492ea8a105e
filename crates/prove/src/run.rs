//! One run: start, break, heal, wait until it is quiet, compare.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::faults::{Kind, Struck, Tracks, Until, catalogue};
use crate::load::{Followed, Load};
use crate::options::Options;
use crate::progress;
use crate::recovery::ready;
use crate::site::Site;
use crate::verdict::{Findings, Ledgers, Report, compare, compare_followed};

/// How long clients try on once everything is healed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long nothing may get better before what is wrong counts as wrong.
const NO_PROGRESS: Duration = Duration::from_secs(45);
/// The pause between two comparisons.
const PAUSE: Duration = Duration::from_secs(3);
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

    load.site.heal().await?;
    for program in load.site.programs() {
        ready(program).await?;
    }
    clients.finish(&load, PATIENCE).await?;
    let healed = Instant::now();
    quiet(&load).await;
    let mut findings = settled(&load).await?;
    // Only now it is certain that nothing more comes that readers could miss.
    read_to_the_end(&load, &follower.finish().await?, &mut findings).await?;
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
            let ended = program.has_ended().await;
            let red =
                (program.health().await == Some(503)).then(|| format!("{}: /healthz is 503", program.name));
            for what in ended.into_iter().chain(red) {
                let mut misdeeds = misdeeds.lock().unwrap_or_else(PoisonError::into_inner);
                *misdeeds.entry(what).or_default() += 1;
            }
        }
    }
}

/// Waits until nothing waits in a queue or at the stand-in, as long as there is less and less.
async fn quiet(load: &Load) {
    let (mut least, mut since) = (u64::MAX, Instant::now());
    while since.elapsed() < NO_PROGRESS {
        let queued =
            load.site.servers.queues().await.map(|queues| queues.iter().map(|(_, waiting)| waiting).sum());
        let pending =
            load.site.simulator.stats().await.map(|stats| stats["eventsPending"].as_u64().unwrap_or(0));
        let open = queued.unwrap_or(1_u64) + pending.unwrap_or(1);
        if open == 0 {
            return;
        }
        if open < least {
            (least, since) = (open, Instant::now());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Compares until nothing is wrong, as long as less and less is.
async fn settled(load: &Load) -> Result<Findings> {
    let (mut least, mut since) = (usize::MAX, Instant::now());
    loop {
        let ledgers = Ledgers::read(&load.site).await.context("the ledgers cannot be read")?;
        let findings = compare(&load.told.book(), &ledgers);
        let total = findings.total();
        if total == 0 || since.elapsed() > NO_PROGRESS {
            return Ok(findings);
        }
        if total < least {
            (least, since) = (total, Instant::now());
        }
        sleep(PAUSE).await;
    }
}

/// Compares what those who followed the histories met with what is there.
async fn read_to_the_end(load: &Load, followed: &Followed, findings: &mut Findings) -> Result<()> {
    let ledgers = Ledgers::read(&load.site).await.context("the ledgers cannot be read")?;
    compare_followed(&ledgers, followed, findings);
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

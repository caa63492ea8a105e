//! How much memory the worker holds, whatever waits for it.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::corpus::{Corpus, Shape};
use crate::drain::RECORDED;
use crate::installation::{Installation, NOBODY};
use crate::progress;
use crate::queue::{Broker, EVENTS};
use crate::report::{Bound, Goal, Table};
use crate::usage::{self, Memory};
use crate::watch;

/// The worker's peak should stay below so many MiB.
const PEAK: f64 = 100.0;
/// Events that are made up and published at a time, so that this program stays small as well.
const PART: usize = 50_000;

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Events that wait.
    pub(crate) waiting: [usize; 2],
    /// How long the worker works on them.
    pub(crate) time: Duration,
}

/// Measures an idle worker, and one before which few and many events wait in each of these shapes.
pub(crate) async fn run(installation: &Installation, effort: Effort, shapes: &[Shape]) -> Result<Vec<Goal>> {
    println!("\nMemory of the worker");
    let mut table = Table::new(["", "recorded meanwhile", "resident MiB", "peak MiB"]);
    let mut goals = Vec::new();
    let mut add = |what: String, (recorded, memory): (usize, Memory)| {
        progress::done();
        let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
        let recorded = recorded.to_string();
        table.add([
            what.clone(),
            recorded,
            format!("{:.1}", mib(memory.resident)),
            format!("{:.1}", mib(memory.peak)),
        ]);
        let what = format!("worker's peak memory: {what}");
        goals.push(Goal { what, measured: mib(memory.peak), bound: Bound::Below(PEAK), unit: "MiB" });
    };
    add("idle".to_owned(), idle(installation).await?);
    let broker = installation.broker().await?;
    for waiting in effort.waiting {
        for shape in shapes {
            let what = format!("{waiting} waiting, {}", shape.name());
            progress::doing(&what);
            let found = working(installation, &broker, *shape, (waiting, effort.time)).await?;
            add(what, found);
        }
    }
    broker.purge(EVENTS).await?;
    println!("\n{}", table.text().trim_end());
    Ok(goals)
}

async fn idle(installation: &Installation) -> Result<(usize, Memory)> {
    let _session = installation.fresh_database().await?;
    let (worker, _) = installation.start_ready("raven-worker", NOBODY).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    Ok((0, memory))
}

/// Lets the worker begin on what waits, for a while; the rest is thrown away. Answers how many events it has
/// recorded, too.
async fn working(
    installation: &Installation,
    broker: &Broker,
    shape: Shape,
    (waiting, time): (usize, Duration),
) -> Result<(usize, Memory)> {
    let session = installation.fresh_database().await?;
    broker.purge(EVENTS).await?;
    let mut bodies = 0;
    for part in 0..waiting.div_ceil(PART) {
        let corpus = Corpus::part(part, PART.min(waiting - part * PART));
        if part == 0 {
            crate::drain::insert_known(&session.client, installation.tenant, &corpus).await?;
        }
        bodies += broker.fill(broker.events(&shape.bodies(&corpus))).await?;
    }
    broker.holds(EVENTS, bodies).await?;
    session.settle().await?;
    let (mut worker, _) = installation.start("raven-worker", NOBODY)?;
    watch::begun((broker, EVENTS), bodies, &mut worker).await?;
    let count = session.client.prepare(RECORDED).await?;
    let until = Instant::now() + time;
    let recorded = loop {
        worker.check()?;
        let row = session.client.query_one(&count, &[]).await?;
        let recorded = usize::try_from(row.get::<_, i64>(0))?;
        if recorded >= waiting || Instant::now() >= until {
            break recorded;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    Ok((recorded, memory))
}

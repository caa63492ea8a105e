//! How much memory the worker holds, whatever waits for it: in the queue, or in Postgres because Mailjet takes nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio_postgres::Client;

use super::SENT;
use super::letters::Letter;
use super::simulator::{LATENCY, Simulator};
use crate::installation::{Installation, NOBODY, Tenant};
use crate::process::Process;
use crate::progress;
use crate::queue::{Broker, SENDS};
use crate::report::{Bound, Goal, Table};
use crate::usage::{self, Memory};
use crate::watch;

/// Bytes of a message's text.
const TEXT: usize = 2000;
/// Messages that are made up and published at a time, so that this program stays small as well.
const PART: usize = 20_000;
/// What a peak with much may be above one with little: so many times as much, and so many MiB.
const FLAT: (f64, f64) = (1.25, 16.0);
/// How many messages the worker has taken on.
const STORED: &str = "select count(*) from messages";

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Messages that wait: few, and many.
    pub(super) waiting: [usize; 2],
    /// How long the worker works on them.
    pub(super) time: Duration,
    /// How long it may take, before that, to move them all to Postgres.
    pub(super) patience: Duration,
}

/// Where messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the queue, while Mailjet takes what it is given.
    Queue,
    /// In Postgres, while Mailjet answers 429 to everything.
    Postgres,
}

impl Place {
    /// Of messages: where they wait, and what becomes of them.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Queue => ("wait in the queue", "sent"),
            Self::Postgres => ("refused with 429", "moved to Postgres"),
        }
    }
}

/// What was seen of one worker.
struct Seen {
    /// Messages that it sent, or moved to Postgres.
    done: usize,
    memory: Memory,
}

/// Measures an idle worker, and one for which few and many messages wait in each of these places.
pub(super) async fn run(installation: &Installation, tenant: &Tenant, effort: Effort) -> Result<Vec<Goal>> {
    println!("\nMemory of the worker; messages of 2 kB");
    let mut table = Table::new(["", "meanwhile", "resident MiB", "peak MiB"]);
    let mut add = |what: String, meanwhile: String, memory: Memory| {
        progress::done();
        let [resident, peak] = [memory.resident, memory.peak].map(|kib| format!("{:.1}", mib(kib)));
        table.add([what, meanwhile, resident, peak]);
    };
    add("idle".to_owned(), String::new(), idle(installation).await?);
    let broker = installation.broker().await?;
    let mut goals = Vec::new();
    for place in [Place::Queue, Place::Postgres] {
        let mut most = f64::INFINITY;
        for waiting in effort.waiting {
            let what = format!("{waiting} {}", place.words().0);
            progress::doing(&what);
            let seen = working(installation, (&broker, tenant), (place, waiting), effort).await?;
            let measured = mib(seen.memory.peak);
            let meanwhile = format!("{} {}", seen.done, place.words().1);
            if most.is_finite() {
                let what = format!("worker's peak memory: {what}, {meanwhile}");
                goals.push(Goal { what, measured, bound: Bound::Below(most), unit: "MiB" });
            }
            most = measured * FLAT.0 + FLAT.1;
            add(what, meanwhile, seen.memory);
        }
    }
    broker.purge(SENDS).await?;
    println!("\n{}", table.text().trim_end());
    let ((times, more), [few, many]) = (FLAT, effort.waiting);
    println!("\n  Flat is a peak with {many} that is below {times} times that with {few}, and {more} MiB.");
    Ok(goals)
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

async fn idle(installation: &Installation) -> Result<Memory> {
    let _session = installation.fresh_database().await?;
    let (worker, _) = installation.start_ready("raven-worker", NOBODY).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    Ok(memory)
}

/// Lets a worker work on what waits, for a while; the rest is thrown away.
async fn working(
    installation: &Installation,
    (broker, tenant): (&Broker, &Tenant),
    (place, waiting): (Place, usize),
    effort: Effort,
) -> Result<Seen> {
    let session = installation.fresh_database().await?;
    let client = &session.client;
    broker.purge(SENDS).await?;
    for part in 0..waiting.div_ceil(PART) {
        let count = PART.min(waiting - part * PART);
        let letters = Letter::write(count, std::slice::from_ref(tenant), TEXT)?;
        broker.fill(Letter::parcels(&letters)).await?;
    }
    broker.holds(SENDS, waiting).await?;
    session.settle().await?;
    let simulator = Simulator::start(installation, LATENCY, 1000).await?;
    if place == Place::Postgres {
        simulator.refuse_everything().await?;
    }
    let (mut worker, _) = installation.start("raven-worker", &simulator.url())?;
    watch::begun((broker, SENDS), waiting, &mut worker).await?;
    let done = match place {
        Place::Queue => at_most(client, SENT, (waiting, effort.time), &mut worker).await?,
        Place::Postgres => {
            let moved = at_most(client, STORED, (waiting, effort.patience), &mut worker).await?;
            // Now what is due goes round and round.
            at_most(client, SENT, (1, effort.time), &mut worker).await?;
            moved
        }
    };
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    verify(client, &simulator, place).await?;
    simulator.stop().await?;
    Ok(Seen { done, memory })
}

/// Waits until so many are counted, or for so long; answers how many they were at last.
async fn at_most(
    client: &Client,
    count: &str,
    (enough, time): (usize, Duration),
    worker: &mut Process,
) -> Result<usize> {
    let until = Instant::now() + time;
    loop {
        worker.check()?;
        let found = usize::try_from(client.query_one(count, &[]).await?.get::<_, i64>(0))?;
        if found >= enough || Instant::now() >= until {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What was accepted went out once and is recorded, which a worker that was asked to end sees to; where everything is
/// refused, nothing was and calls were made.
async fn verify(client: &Client, simulator: &Simulator, place: Place) -> Result<()> {
    let counts = simulator.counts().await?;
    let sent = usize::try_from(client.query_one(SENT, &[]).await?.get::<_, i64>(0))?;
    let sound = match place {
        Place::Queue => counts.refused_calls == 0 && counts.accepted_messages > 0,
        Place::Postgres => counts.refused_calls > 0 && counts.accepted_messages == 0,
    };
    ensure!(
        sound && counts.refused_messages == 0 && counts.duplicates == 0 && sent == counts.accepted_messages,
        "{sent} are recorded as sent, and Mailjet counts {counts:?}"
    );
    Ok(())
}

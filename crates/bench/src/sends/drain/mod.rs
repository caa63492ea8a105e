//! From waiting messages to their outcomes in Postgres, beside the same rows by plain SQL and the stand-in's own limit.

mod limit;
mod plain;
mod statements;
mod table;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use self::statements::Statement;
use super::letters::Letter;
use super::simulator::{LATENCY, Simulator};
use super::tenants::Shape;
use super::{SENT, verify};
use crate::installation::{Installation, Tenant};
use crate::progress;
use crate::queue::{Broker, DEAD_LETTERS, SENDS};
use crate::report::Goal;
use crate::spent::{Meter, Spent};
use crate::watch;

/// Bytes of a message's text.
const TEXT: usize = 1000;

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Messages that wait.
    pub(crate) count: usize,
    pub(crate) rounds: usize,
    /// How long the stand-in is tried on its own.
    pub(crate) time: Duration,
}

/// What one measurement showed.
#[derive(Debug, Clone, Copy, Default)]
struct Drained {
    messages: usize,
    time: Duration,
    /// Calls of Mailjet.
    calls: usize,
    spent: Spent,
}

/// What one line of the table is about, with its rounds.
type Rounds<T> = (T, Vec<Drained>);

/// Drains so many messages in so many rounds, and tells.
pub(super) async fn run(
    installation: &Installation,
    tenants: &[Tenant],
    effort: Effort,
    shapes: &[Shape],
) -> Result<Vec<Goal>> {
    println!(
        "\nDrain: {} messages of one recipient from the queue to the last outcome in Postgres, one worker, \
         Mailjet answering in {LATENCY}; the clock runs from the first delivery, not from the worker's start",
        effort.count
    );
    let broker = installation.broker().await?;
    let meter = Meter::find(&installation.servers).await?;
    let mut workers: Vec<Rounds<Shape>> = shapes.iter().map(|shape| (*shape, Vec::new())).collect();
    let mut plain = Vec::new();
    let mut limits = limit::CASES.map(|case| (case, Vec::new()));
    for round in 1..=effort.rounds {
        for (shape, results) in &mut workers {
            progress::doing(&format!("worker, {}, round {round} of {}", shape.name(), effort.rounds));
            let letters = Letter::write(effort.count, shape.of(tenants), TEXT)?;
            results.push(by_worker(installation, (&broker, meter), &letters, false).await?.0);
        }
        progress::doing(&format!("plain SQL, round {round} of {}", effort.rounds));
        let letters = Letter::write(effort.count, Shape::One.of(tenants), TEXT)?;
        plain.push(plain::run(installation, meter, &letters).await?);
        for (case, results) in &mut limits {
            progress::doing(&format!("{}, round {round} of {}", case.name, effort.rounds));
            results.push(limit::run(installation, meter, (*case, effort.time), &letters).await?);
        }
    }
    let counted = count(installation, (&broker, meter), tenants, (effort.count, shapes)).await?;
    progress::done();
    let goals = table::tell(&workers, &plain, &limits);
    statements::tell(&counted, effort.count);
    Ok(goals)
}

/// Drains once more in each shape while Postgres counts statements, which costs a little and so is never timed.
async fn count(
    installation: &Installation,
    servers: (&Broker, Meter),
    tenants: &[Tenant],
    (count, shapes): (usize, &[Shape]),
) -> Result<Vec<(Shape, Vec<Statement>)>> {
    let mut counted = Vec::new();
    if !statements::can_be_counted(&installation.servers).await? {
        return Ok(counted);
    }
    for shape in shapes {
        progress::doing(&format!("statements of the worker, {}", shape.name()));
        let letters = Letter::write(count, shape.of(tenants), TEXT)?;
        counted.push((*shape, by_worker(installation, servers, &letters, true).await?.1));
    }
    Ok(counted)
}

/// Fills the queue while no worker runs, then lets one empty it.
async fn by_worker(
    installation: &Installation,
    (broker, meter): (&Broker, Meter),
    letters: &[Letter],
    counting: bool,
) -> Result<(Drained, Vec<Statement>)> {
    let session = installation.fresh_database().await?;
    let client = &session.client;
    broker.purge(SENDS).await?;
    let waiting = broker.fill(Letter::parcels(letters)).await?;
    broker.holds(SENDS, waiting).await?;
    session.settle().await?;
    let simulator = Simulator::start(installation, LATENCY, letters.len() * 2).await?;
    let meter = meter.with_simulator(simulator.pid());
    if counting {
        statements::begin(&installation.servers).await?;
    }
    let (mut worker, _) = installation.start("raven-worker", &simulator.url())?;
    let begun = watch::begun((broker, SENDS), waiting, &mut worker).await?;
    let before = meter.read(worker.pid());
    let time = watch::counted((client, SENT), letters.len(), begun, &mut worker).await?;
    let spent = meter.read(worker.pid()).since(before);
    let counted = if counting { statements::read(&installation.servers).await? } else { Vec::new() };
    worker.stop().await?;
    let expected = letters.iter().map(|letter| (letter.id, letter.account.clone())).collect();
    verify::once(client, &simulator, &expected).await.context("messages were lost or doubled")?;
    broker.holds(SENDS, 0).await?;
    ensure!(broker.waiting(DEAD_LETTERS).await? == 0, "there are dead letters");
    let calls = simulator.counts().await?.calls;
    simulator.stop().await?;
    Ok((Drained { messages: letters.len(), time, calls, spent }, counted))
}

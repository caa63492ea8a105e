//! From waiting webhooks to committed rows, beside the same rows written by plain SQL.

mod known;
mod plain;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

pub(crate) use self::known::insert as insert_known;
use self::plain::Tables;
use crate::corpus::{Corpus, Shape};
use crate::installation::{Installation, NOBODY};
use crate::progress;
use crate::queue::{Broker, DEAD_LETTERS, EVENTS};
use crate::report::{Bound, Goal, Table};
use crate::spent::{Meter, Spent};
use crate::statistics::{each, median, rate};
use crate::usage::{self, Memory};
use crate::watch;

/// What share of plain SQL over two connections the worker should reach, in percent.
const fn least(shape: Shape) -> f64 {
    match shape {
        Shape::Singles => 25.0,
        Shape::Groups => 50.0,
    }
}

/// How many events are recorded.
pub(crate) const RECORDED: &str = "select count(*) from delivery_events";

/// What the worker is measured beside.
const PLAIN: [(&str, Tables, usize); 3] = [
    ("plain SQL, same tables, one connection", Tables::Ravens, 1),
    ("plain SQL, same tables, two connections", Tables::Ravens, 2),
    ("plain SQL, lean tables, two connections", Tables::Lean, 2),
];

/// What one drain took.
#[derive(Debug, Clone, Copy)]
struct Drained {
    time: Duration,
    spent: Spent,
    /// The worker's.
    memory: Memory,
}

/// Drains so many events in so many rounds, and tells.
pub(crate) async fn run(
    installation: &Installation,
    (count, rounds): (usize, usize),
    shapes: &[Shape],
) -> Result<Vec<Goal>> {
    println!(
        "\nDrain: {count} events from the queue to the last commit, one worker; half of them of known messages"
    );
    let corpus = Corpus::new(count);
    let broker = installation.broker().await?;
    let meter = Meter::find(&installation.servers).await?;
    let mut workers: Vec<(Shape, Vec<Drained>)> = shapes.iter().map(|shape| (*shape, Vec::new())).collect();
    let mut plain = PLAIN.map(|_| Vec::new());
    for round in 1..=rounds {
        for (shape, results) in &mut workers {
            progress::doing(&format!("worker, {}, round {round} of {rounds}", shape.name()));
            results.push(by_worker(installation, (&broker, meter), &corpus, *shape).await?);
        }
        for ((name, tables, connections), results) in PLAIN.into_iter().zip(&mut plain) {
            progress::doing(&format!("{name}, round {round} of {rounds}"));
            let (time, spent) = plain::run(installation, meter, &corpus, (tables, connections)).await?;
            results.push(Drained { time, spent, memory: Memory::default() });
        }
    }
    progress::done();
    let mut table = Table::new([
        "",
        "events/s",
        "of same tables, 2",
        "of same tables, 1",
        "of lean tables, 2",
        "worker CPU µs",
        "Postgres CPU µs",
        "RabbitMQ CPU µs",
        "peak MiB",
    ]);
    let mut goals = Vec::new();
    for (shape, results) in &workers {
        let share = line(&mut table, count, (&format!("worker, {}", shape.name()), results), &plain);
        let what = format!("drain of plain SQL into the same tables over two connections: {}", shape.name());
        goals.push(Goal { what, measured: share, bound: Bound::AtLeast(least(*shape)), unit: "%" });
    }
    for ((name, ..), results) in PLAIN.into_iter().zip(&plain) {
        line(&mut table, count, (name, results), &plain);
    }
    println!("\n{}", table.text().trim_end());
    Ok(goals)
}

/// Adds a line; answers the share of plain SQL into the same tables over two connections in percent.
fn line(
    table: &mut Table,
    count: usize,
    (name, results): (&str, &[Drained]),
    plain: &[Vec<Drained>; 3],
) -> f64 {
    let of = |what: &dyn Fn(&Drained) -> f64| median(results.iter().map(what));
    let share = |base: &[Drained]| {
        let pairs = results.iter().zip(base);
        100.0 * median(pairs.map(|(one, base)| base.time.as_secs_f64() / one.time.as_secs_f64().max(1e-9)))
    };
    let cpu = |of: &dyn Fn(&Spent) -> Duration| {
        let all = results.iter().map(|one| each(of(&one.spent), count));
        format!("{:.1}", median(all))
    };
    let peak = results.iter().map(|one| one.memory.peak).max().unwrap_or_default();
    table.add([
        name.to_owned(),
        format!("{:.0}", of(&|one| rate(count, one.time))),
        format!("{:.0} %", share(&plain[1])),
        format!("{:.0} %", share(&plain[0])),
        format!("{:.0} %", share(&plain[2])),
        cpu(&|spent| spent.program),
        cpu(&|spent| spent.postgres),
        cpu(&|spent| spent.rabbitmq),
        if peak == 0 { String::new() } else { (peak / 1024).to_string() },
    ]);
    share(&plain[1])
}

/// Fills the queue while no worker runs, then lets one empty it. The clock runs from the first body that leaves the
/// queue, so a worker's start does not count.
async fn by_worker(
    installation: &Installation,
    (broker, meter): (&Broker, Meter),
    corpus: &Corpus,
    shape: Shape,
) -> Result<Drained> {
    let session = installation.fresh_database().await?;
    let client = &session.client;
    insert_known(client, installation.tenant, corpus).await?;
    broker.purge(EVENTS).await?;
    let bodies = broker.fill(broker.events(&shape.bodies(corpus))).await?;
    broker.holds(EVENTS, bodies).await?;
    session.settle().await?;
    let (mut worker, _) = installation.start("raven-worker", NOBODY)?;
    let begun = watch::begun((broker, EVENTS), bodies, &mut worker).await?;
    let before = meter.read(worker.pid());
    let time = watch::counted((client, RECORDED), corpus.events.len(), begun, &mut worker).await?;
    let spent = meter.read(worker.pid()).since(before);
    let memory = usage::memory(worker.pid());
    worker.stop().await?;
    known::verify(client, corpus).await.context("events were lost")?;
    broker.holds(EVENTS, 0).await?;
    ensure!(broker.waiting(DEAD_LETTERS).await? == 0, "there are dead letters");
    Ok(Drained { time, spent, memory })
}

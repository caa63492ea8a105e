//! A message on its own: from the answer of its POST to the arrival of its call at Mailjet, at a steady hundred a
//! second. Both ends tell the time by this machine's clock.

mod post;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use self::post::{INTERVAL, Posted};
use super::simulator::{Accepted, LATENCY, Simulator};
use super::tenants::account;
use super::{SENT, verify};
use crate::installation::{Installation, Tenant};
use crate::progress;
use crate::queue::{Broker, SENDS};
use crate::report::{Bound, Goal, Table};
use crate::spent::Meter;
use crate::statistics::{each, median, number, percentile};
use crate::wait::until;
use crate::watch;

/// Milliseconds within which half of the messages should be at Mailjet, from their answer.
const AT_MAILJET: f64 = 10.0;
/// Messages that are sent first and not measured: connections are opened and caches filled by then.
const WARM_UP: usize = 100;
/// After the last answer, for the last call and its record.
const REST: (Duration, Duration) = (Duration::from_mins(1), Duration::from_millis(50));

/// The ways that are measured, in milliseconds.
const WAYS: [(&str, Way); 3] = [
    ("POST to answer", |posted, _| between(posted.begun, posted.answered)),
    ("answer to arrival at Mailjet", |posted, there| between(posted.answered, there.received_at)),
    ("POST to arrival at Mailjet", |posted, there| between(posted.begun, there.received_at)),
];

type Way = fn(&Posted, &Accepted) -> f64;

/// What one round showed.
struct Figures {
    /// Median and 99th percentile of each way.
    ways: [(f64, f64); 3],
    calls: usize,
    messages: usize,
    /// The worker's processor time in microseconds a message.
    cpu: f64,
    /// Requests that began later than they should have by more than an interval.
    late: usize,
}

/// Measures for so long in so many rounds, and tells.
pub(super) async fn run(
    installation: &Installation,
    tenant: &Tenant,
    (time, rounds): (Duration, usize),
) -> Result<Vec<Goal>> {
    println!(
        "\nLone: one message a POST, 100 a second, one ingest and one worker, Mailjet answering in {LATENCY}"
    );
    let broker = installation.broker().await?;
    let meter = Meter::find(&installation.servers).await?;
    let mut all = Vec::new();
    for round in 1..=rounds {
        progress::doing(&format!("lone messages, round {round} of {rounds}"));
        all.push(one(installation, (&broker, meter), tenant, time).await?);
    }
    progress::done();
    let mut table = Table::new(["", "p50 ms", "p99 ms"]);
    for (place, (name, _)) in WAYS.iter().enumerate() {
        let of = |part: fn((f64, f64)) -> f64| median(all.iter().map(|one| part(one.ways[place])));
        table.add([(*name).to_owned(), format!("{:.2}", of(|way| way.0)), format!("{:.2}", of(|way| way.1))]);
    }
    println!("\n{}", table.text().trim_end());
    let of = |what: fn(&Figures) -> f64| median(all.iter().map(what));
    println!(
        "\n  {:.0} calls for {:.0} messages; the worker's CPU is {:.0} µs a message; {:.0} POSTs began late",
        of(|one| number(one.calls)),
        of(|one| number(one.messages)),
        of(|one| one.cpu),
        of(|one| number(one.late)),
    );
    let measured = median(all.iter().map(|one| one.ways[1].0));
    let what = "lone message at Mailjet, from its answer, median".to_owned();
    Ok(vec![Goal { what, measured, bound: Bound::Below(AT_MAILJET), unit: "ms" }])
}

async fn one(
    installation: &Installation,
    (broker, meter): (&Broker, Meter),
    tenant: &Tenant,
    time: Duration,
) -> Result<Figures> {
    let session = installation.fresh_database().await?;
    broker.purge(SENDS).await?;
    session.settle().await?;
    let count = WARM_UP + usize::try_from(time.as_millis() / INTERVAL.as_millis())?;
    let simulator = Simulator::start(installation, LATENCY, count * 2).await?;
    let (mut worker, _) = installation.start_ready("raven-worker", &simulator.url()).await?;
    let (ingest, address) = installation.start_ready("raven-ingest", &simulator.url()).await?;
    let before = meter.read(worker.pid());
    let posted = post::steadily(&address, &tenant.key, count).await?;
    until("the last message at Mailjet", REST, async || {
        worker.check()?;
        Ok((simulator.counts().await?.accepted_messages >= count).then_some(()))
    })
    .await?;
    let spent = meter.read(worker.pid()).since(before);
    watch::counted((&session.client, SENT), count, std::time::Instant::now(), &mut worker).await?;
    ingest.stop().await?;
    worker.stop().await?;
    let account = account(tenant);
    let expected: HashMap<Uuid, String> = posted.iter().map(|one| (one.id, account.clone())).collect();
    ensure!(expected.len() == count, "{} distinct ids for {count} messages", expected.len());
    let ledger = verify::once(&session.client, &simulator, &expected)
        .await
        .context("messages were lost or doubled")?;
    let calls = simulator.counts().await?.calls;
    simulator.stop().await?;
    let late = posted.iter().filter(|one| one.late > INTERVAL).count();
    let ways = WAYS.map(|(_, way)| middle_and_end(&posted[WARM_UP..], &ledger, way));
    Ok(Figures { ways, calls, messages: count, cpu: each(spent.program, count), late })
}

fn middle_and_end(posted: &[Posted], ledger: &HashMap<Uuid, Accepted>, way: Way) -> (f64, f64) {
    let mut all: Vec<f64> = posted.iter().filter_map(|one| Some(way(one, ledger.get(&one.id)?))).collect();
    all.sort_by(f64::total_cmp);
    let of = |percent| percentile(&all, percent).unwrap_or(f64::NAN);
    (of(50), of(99))
}

/// Milliseconds; below zero where the second came before the first, as a call may before the answer.
fn between(first: jiff::Timestamp, second: jiff::Timestamp) -> f64 {
    second.duration_since(first).as_secs_f64() * 1e3
}

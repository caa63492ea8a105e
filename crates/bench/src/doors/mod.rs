//! Webhooks per second at the door, beside publishing without HTTP and HTTP without publishing.

mod subject;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;

use self::subject::{Figures, Subject};
use crate::corpus::{Corpus, GROUP, Shape};
use crate::installation::Installation;
use crate::progress;
use crate::queue::{Broker, EVENTS};
use crate::report::{Bound, Goal, Table};
use crate::spent::Meter;
use crate::statistics::{each, median};

/// Requests under way at any time, and what share of raw publishing the door should reach then.
const CONNECTIONS: [(usize, f64); 2] = [(64, 80.0), (512, 60.0)];
/// Latency that 99 of 100 requests should stay below, with the fewest connections.
const P99: f64 = 10.0;
/// Between two measurements.
const SETTLE: Duration = Duration::from_secs(1);
/// Distinct bodies of each shape.
const BODIES: usize = 64;

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) rounds: usize,
}

/// A subject's name and its figures, one a round.
type Rounds = (&'static str, Subject, Vec<Figures>);

/// Measures every case; answers the goals, and what makes figures invalid.
pub(crate) async fn run(
    installation: &Installation,
    effort: Effort,
    shapes: &[Shape],
) -> Result<(Vec<Goal>, Vec<String>)> {
    println!("\nDoors: webhooks per second, each beside the others of the same minute; no worker runs");
    let _session = installation.fresh_database().await?;
    let meter = Meter::find(&installation.servers).await?;
    let broker = installation.broker().await?;
    let mut subjects: [Rounds; 3] = [
        ("raw publishing", Subject::Raw, Vec::new()),
        ("raven-ingest", Subject::ingest(installation).await?, Vec::new()),
        ("bare actix", Subject::bare(&installation.logs).await?, Vec::new()),
    ];
    let (mut goals, mut faults) = (Vec::new(), Vec::new());
    for shape in shapes {
        let corpus = Corpus::new(BODIES * if *shape == Shape::Groups { GROUP } else { 1 });
        let bodies: Arc<[Bytes]> = shape.bodies(&corpus);
        for (connections, least) in CONNECTIONS {
            measure((&broker, meter), &mut subjects, (&bodies, connections), effort).await?;
            let case = format!("{}, {connections} connections", shape.name());
            let (share, p99) = tell(&case, &subjects, &mut faults);
            let (what, bound) = (format!("ingest of raw publishing: {case}"), Bound::AtLeast(least));
            goals.push(Goal { what, measured: share, bound, unit: "%" });
            if connections == CONNECTIONS[0].0 {
                let (what, bound) = (format!("ingest, 99th percentile: {case}"), Bound::Below(P99));
                goals.push(Goal { what, measured: p99, bound, unit: "ms" });
            }
        }
    }
    broker.purge(EVENTS).await?;
    Ok((goals, faults))
}

/// Gives each subject these bodies, by turns, in as many rounds as are wanted.
async fn measure(
    (broker, meter): (&Broker, Meter),
    subjects: &mut [Rounds; 3],
    (bodies, connections): (&Arc<[Bytes]>, usize),
    effort: Effort,
) -> Result<()> {
    for round in 0..effort.rounds {
        for (name, subject, figures) in subjects.iter_mut() {
            let number = round + 1;
            progress::doing(&format!("{name}, {connections} at once, round {number} of {}", effort.rounds));
            if round == 0 {
                figures.clear();
            }
            broker.purge(EVENTS).await?;
            // What the broker still writes of the measurement before is none of this one's business.
            tokio::time::sleep(SETTLE).await;
            let times = (effort.warm_up, effort.time);
            figures.push(subject.measure((broker, meter), bodies, connections, times).await?);
        }
    }
    progress::done();
    Ok(())
}

/// Prints the figures of one case; answers the share of raw publishing in percent, and the 99th percentile in ms.
fn tell(case: &str, subjects: &[Rounds; 3], faults: &mut Vec<String>) -> (f64, f64) {
    let [(_, _, raw), (_, _, ingest), (_, _, bare)] = subjects;
    let share = |of: &[Figures], base: &[Figures]| {
        100.0 * median(of.iter().zip(base).map(|(of, base)| of.rate / base.rate.max(1e-9)))
    };
    let mut table = Table::new([
        case,
        "per second",
        "p50 ms",
        "p99 ms",
        "of raw",
        "of bare",
        "own CPU µs",
        "RabbitMQ CPU µs",
    ]);
    for (name, _, rounds) in subjects {
        let of = |what: fn(&Figures) -> f64| median(rounds.iter().map(what));
        let refused: usize = rounds.iter().map(|figures| figures.refused).sum();
        if refused > 0 {
            faults.push(format!("{case}: {name} answered {refused} times with something other than 200"));
        }
        table.add([
            (*name).to_owned(),
            format!("{:.0}", of(|figures| figures.rate)),
            format!("{:.2}", of(|figures| figures.p50.as_secs_f64() * 1e3)),
            format!("{:.2}", of(|figures| figures.p99.as_secs_f64() * 1e3)),
            format!("{:.0} %", share(rounds, raw)),
            format!("{:.0} %", share(rounds, bare)),
            format!("{:.1}", of(|figures| each(figures.spent.program, figures.count))),
            format!("{:.1}", of(|figures| each(figures.spent.rabbitmq, figures.count))),
        ]);
    }
    println!("\n{}", table.text().trim_end());
    let p99 = median(ingest.iter().map(|figures| figures.p99.as_secs_f64() * 1e3));
    (share(ingest, raw), p99)
}

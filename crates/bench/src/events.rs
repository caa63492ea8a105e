//! `raven-bench events`: the way of an event, measured part by part in one run.

use anyhow::{Result, bail};

use crate::corpus::Corpus;
use crate::drain::{self, Drained, Shape};
use crate::facts;
use crate::installation::Installation;
use crate::servers;
use crate::statistics::{each, median, rate};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds of each measurement; the median is told
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Events that wait in the queue
    #[arg(long, default_value_t = 50_000)]
    events: usize,
    /// Only events that wait in this shape
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// How the programs were built, to be told
    #[arg(long, env = "RAVEN_BENCH_PROFILE", default_value = "unknown")]
    profile: String,
    #[command(flatten)]
    servers: servers::Options,
}

/// Measures until done or interrupted, and clears away what was made, either way.
pub(crate) async fn run(
    options: &Options,
    interrupted: impl Future<Output = std::io::Result<()>>,
) -> Result<()> {
    let installation = Installation::create(&options.servers).await?;
    let outcome = tokio::select! {
        outcome = measure(options, &installation) => outcome,
        signal = interrupted => signal.map_err(Into::into).and_then(|()| bail!("interrupted")),
    };
    installation.remove().await?;
    outcome
}

async fn measure(options: &Options, installation: &Installation) -> Result<()> {
    println!("{}", facts::line(installation, &options.profile).await?);
    let session = installation.fresh_database().await?;
    let (worker, _) = installation.start_ready("raven-worker").await?;
    worker.stop().await?;
    drop(session);
    let broker = installation.broker().await?;
    let corpus = Corpus::new(options.events);
    let mut plain: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut drained: Vec<(Shape, Vec<Drained>)> = [Shape::Singles, Shape::Groups]
        .into_iter()
        .filter(|shape| options.shape.is_none_or(|only| only == *shape))
        .map(|shape| (shape, Vec::new()))
        .collect();
    let count = options.events;
    for _ in 0..options.repeat {
        for (shape, results) in &mut drained {
            let result = drain::by_worker(installation, &broker, &corpus, *shape).await?;
            println!(
                "  worker, {:13} {:7.0} events/s  CPU µs/event: worker {:5.1} postgres {:5.1} rabbitmq {:5.1}  peak {} MiB",
                shape.name(),
                rate(count, result.time),
                each(result.worker, count),
                each(result.postgres, count),
                each(result.rabbitmq, count),
                result.memory.peak / 1024
            );
            results.push(result);
        }
        for (connections, results) in (1..).zip(&mut plain) {
            let time = drain::by_plain_sql(installation, &corpus, connections).await?;
            println!("  plain SQL, {connections} connections {:7.0} events/s", rate(count, time));
            results.push(rate(count, time));
        }
    }
    let [one, two] = plain.map(median);
    for (shape, results) in drained {
        let rate = median(results.iter().map(|result| rate(count, result.time)));
        println!(
            "drain {:13} {rate:7.0} events/s = {:3.0} % of plain SQL over two connections, {:3.0} % over one",
            shape.name(),
            100.0 * rate / two,
            100.0 * rate / one
        );
    }
    Ok(())
}

//! `raven-bench events`: the way of an event, measured part by part in one run.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::common::{self, Common};
use crate::corpus::Shape;
use crate::installation::Installation;
use crate::report::Goal;
use crate::{doors, drain, memory};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only one part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Only events that come in this shape
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Events that are drained [default: 50000, and 10000 with --quick]
    #[arg(long)]
    events: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Webhooks into the queue
    Doors,
    /// The queue into Postgres
    Drain,
    /// What the worker holds meanwhile
    Memory,
}

/// Measures until done or interrupted, and clears away what was made, either way.
pub(crate) async fn run(
    options: &Options,
    interrupted: impl Future<Output = std::io::Result<()>>,
) -> Result<()> {
    common::within(&options.common, interrupted, async |installation| measure(options, installation).await)
        .await
}

async fn measure(options: &Options, installation: &Installation) -> Result<()> {
    let quick = options.common.quick;
    let wanted = |part| options.only.is_none_or(|only| only == part);
    let shapes: Vec<Shape> = match options.shape {
        Some(only) => vec![only],
        None => vec![Shape::Singles, Shape::Groups],
    };
    let rounds = options.common.rounds();
    let (mut goals, mut faults) = (Vec::new(), Vec::new());
    if wanted(Part::Doors) {
        let time = Duration::from_secs(if quick { 2 } else { 6 });
        let effort = doors::Effort { warm_up: Duration::from_secs(1), time, rounds };
        (goals, faults) = doors::run(installation, effort, &shapes).await?;
    }
    if wanted(Part::Drain) {
        let count = options.events.unwrap_or(if quick { 10_000 } else { 50_000 });
        goals.extend(drain::run(installation, (count, rounds), &shapes).await?);
    }
    if wanted(Part::Memory) {
        let (waiting, seconds) = if quick { ([10_000, 100_000], 5) } else { ([50_000, 1_000_000], 20) };
        let effort = memory::Effort { waiting, time: Duration::from_secs(seconds) };
        goals.extend(memory::run(installation, effort, &shapes).await?);
    }
    println!("\nSummary\n\n{}", Goal::table(&goals).trim_end());
    ensure!(faults.is_empty(), "these measurements are invalid:\n{}", faults.join("\n"));
    Ok(())
}

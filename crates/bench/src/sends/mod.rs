//! `raven-bench sends`: the way of a send, measured part by part in one run.

mod drain;
mod letters;
mod lone;
mod memory;
mod simulator;
mod tenants;
mod verify;

use std::time::Duration;

use anyhow::Result;

use self::tenants::Shape;
use crate::common::{self, Common};
use crate::installation::Installation;
use crate::report::Goal;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only one part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Drain only messages that belong to so many tenants
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Messages that are drained [default: 20000, and 4000 with --quick]
    #[arg(long)]
    messages: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The queue to Mailjet, and what became of it into Postgres
    Drain,
    /// A message on its own, from POST to Mailjet
    Lone,
    /// What the worker holds meanwhile
    Memory,
}

/// How many messages of Raven's are with Mailjet.
const SENT: &str = "select count(*) from messages where status = 40";

/// Measures until done or interrupted, and clears away what was made, either way.
pub(crate) async fn run(
    options: &Options,
    interrupted: impl Future<Output = std::io::Result<()>>,
) -> Result<()> {
    common::within(&options.common, interrupted, async |installation| measure(options, installation).await)
        .await
}

async fn measure(options: &Options, installation: &Installation) -> Result<()> {
    let (quick, rounds) = (options.common.quick, options.common.rounds());
    let wanted = |part| options.only.is_none_or(|only| only == part);
    let tenants = tenants::create(installation).await?;
    let mut goals = Vec::new();
    if wanted(Part::Drain) {
        let shapes = options.shape.map_or(vec![Shape::One, Shape::Many], |only| vec![only]);
        let count = options.messages.unwrap_or(if quick { 4000 } else { 20_000 });
        let time = Duration::from_secs(if quick { 1 } else { 5 });
        let effort = drain::Effort { count, rounds, time };
        goals.extend(drain::run(installation, &tenants, effort, &shapes).await?);
    }
    if wanted(Part::Lone) {
        let time = Duration::from_secs(if quick { 3 } else { 10 });
        goals.extend(lone::run(installation, &tenants[0], (time, rounds)).await?);
    }
    if wanted(Part::Memory) {
        let (waiting, seconds, patience) =
            if quick { ([2000, 20_000], 3, 20) } else { ([20_000, 200_000], 20, 300) };
        let (time, patience) = (Duration::from_secs(seconds), Duration::from_secs(patience));
        goals.extend(
            memory::run(installation, &tenants[0], memory::Effort { waiting, time, patience }).await?,
        );
    }
    println!("\nSummary\n\n{}", Goal::table(&goals).trim_end());
    Ok(())
}

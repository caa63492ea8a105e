//! `cargo xtask bench`: how fast Raven is, on servers that are this clone's own and as durable as in production.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::files;
use crate::interrupt::Interrupt;
use crate::process::Foreground;
use crate::progress::{heading, say};
use crate::server::{postgres, rabbitmq};
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

/// What is built: the measured programs and the one that measures them.
const PACKAGES: [&str; 5] = ["ingest", "worker", "cli", "mailjet-sim", "bench"];

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// The way of an event: webhooks into the queue, the queue into Postgres, and the worker's memory meanwhile.
    Events(Options),
    /// The way of a send: the queue to Mailjet and into Postgres, a lone message from POST to Mailjet, and the worker's
    /// memory meanwhile.
    Sends(Options),
}

impl Bench {
    /// The word for it, here and in `raven-bench`.
    fn parts(&self) -> (&'static str, &Options) {
        match self {
            Self::Events(options) => ("events", options),
            Self::Sends(options) => ("sends", options),
        }
    }
}

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Short measurements, to see that it works
    #[arg(long)]
    quick: bool,
    /// Only one part: doors (events), drain, lone (sends) or memory
    #[arg(long)]
    only: Option<String>,
    /// The build profile of the programs; `local` builds in half the time
    #[arg(long, default_value = "release")]
    profile: String,
    /// Leave the servers running for the next run
    #[arg(long)]
    keep: bool,
    /// More arguments for `raven-bench`; `--help` among them lists them
    #[arg(last = true)]
    args: Vec<String>,
}

/// One run at a time in a clone; servers that this command does not keep are stopped however it ends.
pub(crate) fn run(bench: &Bench, interrupt: &Interrupt) -> Result<ExitCode> {
    let (_, options) = bench.parts();
    let workspace = Workspace::find()?;
    heading(format!("Building with the profile {}", options.profile));
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", &options.profile, "--bins"]);
    cargo.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    ensure!(Foreground::new(interrupt).run(&mut cargo)?.success(), "the build failed");

    let mut stack = Stack::open(&workspace, Purpose::Bench, interrupt)?;
    let _lock = stack.lock()?;
    stack.reload()?;
    let outcome = measure(&workspace, &mut stack, bench, interrupt);
    if options.keep {
        say("the servers stay; a run without --keep stops them");
    } else {
        stack.stop_all()?;
        stack.delete_data()?;
    }
    outcome
}

fn measure(
    workspace: &Workspace,
    stack: &mut Stack,
    bench: &Bench,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    heading("Servers for measuring");
    let postgres = postgres::ensure(stack, "postgres")?;
    let rabbitmq = rabbitmq::ensure(stack)?;
    let logs = stack.dir.join("run");
    files::remove(&logs)?;
    files::directory(&logs)?;

    heading("Measuring");
    let (way, options) = bench.parts();
    let programs = workspace.programs(&options.profile);
    let mut bench = std::process::Command::new(programs.join("raven-bench"));
    bench.arg(way).args(&options.args);
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(part) = &options.only {
        bench.args(["--only", part]);
    }
    bench
        .env("RAVEN_BENCH_POSTGRES_URL", postgres)
        .env("RAVEN_BENCH_AMQP_URL", rabbitmq.amqp)
        .env("RAVEN_BENCH_RABBITMQ_API", rabbitmq.management)
        .env("RAVEN_BENCH_BIN", programs)
        .env("RAVEN_BENCH_PROFILE", &options.profile)
        .env("RAVEN_BENCH_DIR", logs);
    let status = Foreground::new(interrupt).run(&mut bench)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

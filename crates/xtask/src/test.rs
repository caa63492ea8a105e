//! `cargo xtask test`: every test, against real servers that are this clone's own.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::files;
use crate::interrupt::Interrupt;
use crate::os;
use crate::process::Foreground;
use crate::progress::{heading, say};
use crate::prove;
use crate::server::{postgres, rabbitmq};
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

/// The variables that tell tests where the servers are.
const SERVERS: [&str; 3] = ["RAVEN_TEST_POSTGRES_URL", "RAVEN_TEST_AMQP_URL", "RAVEN_TEST_RABBITMQ_API"];

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only tests whose names contain one of these
    filter: Vec<String>,
    /// Leave the servers running for the next run (never in CI)
    #[arg(long)]
    keep: bool,
    /// Arguments for the test programs
    #[arg(last = true)]
    args: Vec<String>,
}

/// One run at a time in a clone; servers that this command does not keep are stopped however it ends.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut stack = Stack::open(&workspace, Purpose::Test, interrupt)?;
    let _lock = stack.lock()?;
    stack.reload()?;
    let outcome =
        servers(&mut stack).and_then(|servers| test(&workspace, &stack.dir, options, &servers, interrupt));
    if !options.keep || os::var("CI").is_some() {
        stack.stop_all()?;
    } else {
        say("the servers stay; the next `cargo xtask test` finds them");
    }
    outcome
}

/// The servers of the environment if it names them all, else private ones, empty unless they were left running.
fn servers(stack: &mut Stack) -> Result<Vec<(&'static str, String)>> {
    let given: Vec<_> = SERVERS.into_iter().filter_map(|name| Some((name, os::var(name)?))).collect();
    if given.len() == SERVERS.len() {
        return Ok(given);
    }
    ensure!(given.is_empty(), "set all of {} or none", SERVERS.join(", "));
    heading("Servers for tests");
    if stack.state.alive("postgres").is_none() || stack.state.alive("rabbitmq").is_none() {
        // Without fsync nothing can be trusted after a crash, and half a pair is the sign of one.
        stack.stop_all()?;
        stack.delete_data()?;
    }
    let postgres = postgres::ensure(stack, "postgres")?;
    let rabbitmq = rabbitmq::ensure(stack)?;
    Ok(SERVERS.into_iter().zip([postgres, rabbitmq.amqp, rabbitmq.management]).collect())
}

/// Builds everything first, since black-box tests start programs that cargo does not know they need.
fn test(
    workspace: &Workspace,
    dir: &Path,
    options: &Options,
    servers: &[(&'static str, String)],
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    let scratch = dir.join("run");
    files::remove(&scratch)?;
    files::directory(&scratch)?;
    heading("cargo build --workspace --all-targets");
    let foreground = Foreground::new(interrupt);
    let built = foreground.run(workspace.cargo().args(["build", "--workspace", "--all-targets"]))?;
    ensure!(built.success(), "the build failed");
    prove::build_sabotaged(workspace, "dev", interrupt)?;

    heading("cargo test --workspace");
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace"]);
    if !options.filter.is_empty() || !options.args.is_empty() {
        // Behind `--` the test programs themselves take any number of filters; cargo takes one.
        cargo.arg("--").args(&options.filter).args(&options.args);
    }
    cargo
        .envs(servers.iter().map(|(name, value)| (*name, value.as_str())))
        .env("RAVEN_TEST_BIN", workspace.programs("dev"))
        // The one that was just built: where this program was started from, there may be another by now.
        .env("RAVEN_TEST_XTASK", workspace.programs("dev").join("xtask"))
        .env("RAVEN_TEST_DIR", &scratch);
    let status = foreground.run(&mut cargo)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

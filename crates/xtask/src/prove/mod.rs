//! `cargo xtask prove`: everything is broken, nothing may be lost, on servers that are this clone's own and as durable as
//! in production.

mod server;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::files;
use crate::interrupt::Interrupt;
use crate::process::Foreground;
use crate::progress::heading;
use crate::secret::random;
use crate::server::{postgres, rabbitmq};
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

pub(crate) use self::server::{ServerOptions, server};

/// What is built: the programs that are put to the proof and the one that does it.
const PACKAGES: [&str; 5] = ["ingest", "worker", "cli", "mailjet-sim", "prove"];

/// What programs that are built for it break on purpose.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Sabotage {
    /// A delivery is acknowledged before what it asks for is committed
    AckBeforeCommit,
    /// An attempt of which nobody knows the outcome is repeated without asking Mailjet
    ResendWithoutLookUp,
    /// 200 is answered before the queue has confirmed
    AnswerBeforeConfirm,
}

/// How to prove.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long faults strike at least: each kind does so at least five times, however long that takes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What decides which faults strike when; drawn when it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Each kind of fault once, without regard to `--minutes`
    #[arg(long)]
    short: bool,
    /// Only faults whose names contain one of these
    #[arg(long)]
    only: Vec<String>,
    /// The build profile of the programs
    #[arg(long, default_value = "dev")]
    profile: String,
    /// Leave out the build: the programs are there
    #[arg(long)]
    no_build: bool,
    /// Put the proof to the proof: programs that break a guarantee on purpose have to be found out
    #[arg(long)]
    sabotage: Option<Sabotage>,
    /// More arguments for `raven-prove`; `--help` among them lists them
    #[arg(last = true)]
    args: Vec<String>,
}

/// One run at a time in a clone; its servers are stopped however it ends.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    if !options.no_build {
        build(&workspace, options, interrupt)?;
        if options.sabotage.is_some() {
            build_sabotaged(&workspace, &options.profile, interrupt)?;
        }
    }
    let mut stack = Stack::open(&workspace, Purpose::Prove, interrupt)?;
    let _lock = stack.lock()?;
    stack.reload()?;
    let outcome = prove(&workspace, &mut stack, options, interrupt);
    server::end(&mut stack)?;
    stack.delete_data()?;
    outcome
}

fn build(workspace: &Workspace, options: &Options, interrupt: &Interrupt) -> Result<()> {
    heading(format!("Building with the profile {}", options.profile));
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", &options.profile, "--bins"]);
    cargo.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    ensure!(Foreground::new(interrupt).run(&mut cargo)?.success(), "the build failed");
    Ok(())
}

/// The programs that break a guarantee on purpose, beside those that do not: only they are built with the feature.
pub(crate) fn build_sabotaged(workspace: &Workspace, profile: &str, interrupt: &Interrupt) -> Result<()> {
    heading("Building programs that break a guarantee on purpose");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", profile, "-p", "ingest", "-p", "worker"]);
    cargo.args(["--features", "ingest/sabotage,worker/sabotage"]);
    cargo.args(["--bin", "raven-ingest-sabotaged", "--bin", "raven-worker-sabotaged"]);
    ensure!(Foreground::new(interrupt).run(&mut cargo)?.success(), "the build failed");
    Ok(())
}

fn prove(
    workspace: &Workspace,
    stack: &mut Stack,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    heading("Servers for the proof");
    let postgres = postgres::ensure(stack, "postgres")?;
    let rabbitmq = rabbitmq::ensure(stack)?;
    let scratch = stack.dir.join("run");
    files::remove(&scratch)?;
    files::directory(&scratch)?;

    let seed = match options.seed {
        Some(seed) => seed,
        // Short enough to be typed again.
        None => u64::from(u32::from_le_bytes(random::<4>()?)),
    };
    let arguments = options.arguments(seed);
    heading(format!("Proving; the same again: cargo xtask prove {}", options.again(&arguments)));
    let programs = workspace.programs(&options.profile);
    let mut prove = Command::new(programs.join("raven-prove"));
    prove
        .args(&arguments)
        .env("RAVEN_PROVE_POSTGRES_URL", postgres)
        .env("RAVEN_PROVE_AMQP_URL", rabbitmq.amqp)
        .env("RAVEN_PROVE_RABBITMQ_API", rabbitmq.management)
        .env("RAVEN_PROVE_BIN", programs)
        .env("RAVEN_PROVE_DIR", scratch)
        .env("RAVEN_PROVE_XTASK", std::env::current_exe().context("where this program is")?);
    let status = Foreground::new(interrupt).run_and_clear(&mut prove)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

impl Options {
    /// What `raven-prove` is told.
    fn arguments(&self, seed: u64) -> Vec<String> {
        let mut all = vec!["--seed".to_owned(), seed.to_string()];
        if self.short {
            all.push("--short".to_owned());
        } else {
            all.extend(["--minutes".to_owned(), self.minutes.to_string()]);
        }
        all.extend(self.only.iter().flat_map(|only| ["--only".to_owned(), only.clone()]));
        let sabotage = self.sabotage.as_ref().and_then(ValueEnum::to_possible_value);
        all.extend(sabotage.iter().flat_map(|kind| ["--sabotage".to_owned(), kind.get_name().to_owned()]));
        all.extend(self.args.iter().cloned());
        all
    }

    /// What `cargo xtask prove` has to be told to do it all again.
    fn again(&self, arguments: &[String]) -> String {
        let (own, more) = arguments.split_at(arguments.len() - self.args.len());
        let mut words = own.to_vec();
        if self.profile != "dev" {
            words.extend(["--profile".to_owned(), self.profile.clone()]);
        }
        if !more.is_empty() {
            words.push("--".to_owned());
            words.extend(more.iter().cloned());
        }
        // The names of faults have spaces in them.
        let quoted =
            words.into_iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { word });
        quoted.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            minutes: 10.0,
            seed: None,
            short: false,
            only: Vec::new(),
            profile: "dev".to_owned(),
            no_build: false,
            sabotage: None,
            args: Vec::new(),
        }
    }

    #[test]
    fn a_run_can_be_repeated_from_the_command_that_is_printed() {
        let again = |options: Options| options.again(&options.arguments(7));
        assert_eq!(again(options()), "--seed 7 --minutes 10");
        let short = Options { short: true, only: vec!["worker: SIGKILL".to_owned()], ..options() };
        assert_eq!(again(short), "--seed 7 --short --only 'worker: SIGKILL'");
        let sabotage = Some(Sabotage::ResendWithoutLookUp);
        let sabotaged = again(Options { sabotage, ..options() });
        assert_eq!(sabotaged, "--seed 7 --minutes 10 --sabotage resend-without-look-up");
        let args = vec!["--rate".to_owned(), "5".to_owned()];
        let other = Options { profile: "local".to_owned(), args, ..options() };
        assert_eq!(again(other), "--seed 7 --minutes 10 --profile local -- --rate 5");
    }
}

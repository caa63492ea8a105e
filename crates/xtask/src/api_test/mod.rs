//! `cargo xtask api-test`: the HTTP API against its own OpenAPI document, by Schemathesis.
//!
//! Everything runs on private servers that lie beside those of `up` and `test`, with a new tenant each time, whose account
//! is at the stand-in for Mailjet.

mod schemathesis;

use std::process::ExitCode;

use anyhow::Result;

use crate::files;
use crate::interrupt::Interrupt;
use crate::process::Foreground;
use crate::progress::{heading, say};
use crate::secret;
use crate::stack::{Purpose, Stack};
use crate::up::raven::Raven;
use crate::up::{self, demo};
use crate::workspace::Workspace;

/// The build profile of the programs: one that is built for tests anyway, and stops at what overflows.
const PROFILE: &str = "dev";

/// Limits of requests, which would refuse most of what is made up here.
const LIMITS: [&str; 5] = [
    "RAVEN_RATE_LIMIT_SENDS",
    "RAVEN_RATE_LIMIT_KEY_SENDS",
    "RAVEN_RATE_LIMIT_REQUESTS",
    "RAVEN_RATE_LIMIT_KEY_REQUESTS",
    "RAVEN_RATE_LIMIT_FAILURES",
];

/// How to test.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests that are made up for each operation, in each phase that makes them up
    #[arg(long, default_value_t = 50)]
    max_examples: u32,
    /// Makes up the same requests as the run that printed this number
    #[arg(long)]
    seed: Option<u32>,
    /// Leave everything running for the next run
    #[arg(long)]
    keep: bool,
    /// More arguments for Schemathesis, such as --include-path /v1/messages
    #[arg(last = true)]
    args: Vec<String>,
}

/// One run at a time in a clone; what this command does not keep is stopped however it ends.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut stack = Stack::open(&workspace, Purpose::ApiTest, interrupt)?;
    let _lock = stack.lock()?;
    stack.reload()?;
    let outcome = test(&workspace, &mut stack, options, interrupt);
    if options.keep {
        say("everything stays; a run without --keep stops it");
    } else {
        stack.stop_all()?;
        stack.delete_data()?;
    }
    outcome
}

fn test(
    workspace: &Workspace,
    stack: &mut Stack,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    heading("Schemathesis");
    let program = schemathesis::ensure(workspace, interrupt)?;
    heading("Building");
    up::build(workspace, PROFILE, interrupt)?;
    heading("Servers");
    let mut settings = up::servers(stack, workspace.programs(PROFILE))?;
    settings.more = LIMITS.iter().map(|name| (*name, "off".to_owned())).collect();
    heading("Raven");
    // A run that was kept leaves an account behind that may send from no domain of the demonstration any more.
    stack.stop_some(|name| name == "mailjet-sim")?;
    let urls = up::raven(stack, &settings)?;
    // A new tenant each time, with mails that have met four fates: lists have something to show.
    files::remove(&stack.dir.join("demo.json"))?;
    let tenant = demo::run(stack, &Raven::new(&settings), &urls)?;

    let seed = match options.seed {
        Some(seed) => seed,
        None => u32::from_le_bytes(secret::random()?),
    };
    heading(format!("Testing {}/openapi.json with --seed {seed}", urls.ingest));
    let root = workspace.root.join("tests/schemathesis");
    let mut command = std::process::Command::new(program);
    command
        .current_dir(&root)
        .args([
            "--config-file",
            "schemathesis.toml",
            "run",
            "--no-color",
            "--checks",
            "all",
            "--seed",
            &seed.to_string(),
        ])
        .args(["--max-examples", &options.max_examples.to_string()])
        .args(&options.args)
        .arg(format!("{}/openapi.json", urls.ingest))
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &root)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RAVEN_API_KEY", &tenant.api_key)
        .env("RAVEN_TENANT", &tenant.tenant_id);
    let status = Foreground::new(interrupt).run(&mut command)?;
    if !status.success() {
        let log = stack.log("ingest");
        say(format!(
            "the same again: cargo xtask api-test --max-examples {} --seed {seed}",
            options.max_examples
        ));
        say(format!("what the service says of it: {}", log.display()));
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

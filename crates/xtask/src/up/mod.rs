//! `cargo xtask up`: the whole of Raven on this machine, and mail moving through it.

pub(crate) mod demo;
pub(crate) mod raven;
pub(crate) mod services;
mod summary;
mod watch;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use self::raven::Raven;
use self::services::Urls;
use crate::interrupt::Interrupt;
use crate::os;
use crate::process::Foreground;
use crate::progress::{heading, say};
use crate::secret;
use crate::server::{postgres, rabbitmq};
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

/// The profile of the programs that are started: optimised, and built in half the time of a release.
const PROFILE: &str = "local";

/// How to start.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Return when all is up; `cargo xtask down` stops it
    #[arg(long)]
    detach: bool,
    /// Delete the data of an earlier `up` first
    #[arg(long)]
    fresh: bool,
    /// Do not create the demo tenant, nor send its mails
    #[arg(long)]
    no_demo: bool,
}

/// What the services and the operator's command are told.
pub(crate) struct Settings {
    pub(crate) database_url: String,
    pub(crate) amqp_url: String,
    pub(crate) encryption_keys: String,
    /// RabbitMQ's management page, when the node is ours.
    pub(crate) management: Option<String>,
    /// The directory of the programs.
    pub(crate) programs: PathBuf,
    /// What the services are told besides.
    pub(crate) more: Vec<(&'static str, String)>,
}

/// A command that fails stops what it started, and leaves alone what was running before.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut stack = Stack::open(&workspace, Purpose::Up, interrupt)?;
    let lock = stack.lock()?;
    stack.reload()?;
    if options.fresh {
        stack.stop_all()?;
        stack.delete_data()?;
    }
    let (settings, urls) = start(&workspace, &mut stack).inspect_err(|_| stop_started(&mut stack))?;
    let raven = Raven::new(&settings);
    let shown = show(options, &stack, &raven, &settings, &urls);
    let nothing_new = stack.state.started().is_empty();
    if nothing_new && shown.is_ok() {
        heading("All of it was running already, and goes on.");
    }
    if options.detach && !interrupt.is_set() {
        if shown.is_err() {
            say(
                "everything is still up, to be looked at; logs are in .raven/log, `cargo xtask down` stops it",
            );
        }
        return shown;
    }
    shown.inspect_err(|_| stop_started(&mut stack))?;
    if nothing_new {
        return Ok(());
    }
    drop(lock);
    watch::until_stopped(stack)
}

/// From nothing, or from whatever runs, to services that are ready.
fn start(workspace: &Workspace, stack: &mut Stack) -> Result<(Settings, Urls)> {
    heading("Servers");
    let settings = servers(stack, workspace.programs(PROFILE))?;
    heading("Building");
    build(workspace, PROFILE, &stack.interrupt)?;
    heading("Raven");
    let urls = raven(stack, &settings)?;
    Ok((settings, urls))
}

/// Raven's own processes, on servers that run.
pub(crate) fn raven(stack: &mut Stack, settings: &Settings) -> Result<Urls> {
    Raven::new(settings).run(&["migrate"], None).context("the database could not be migrated")?;
    say("the database is migrated");
    services::ensure(stack, settings)
}

/// The servers, and with them all that Raven's `programs` are told.
pub(crate) fn servers(stack: &mut Stack, programs: PathBuf) -> Result<Settings> {
    let given = |name| given(stack.purpose, name, os::var(name));
    let (database_url, amqp_url) = (given("DATABASE_URL"), given("AMQP_URL"));
    let encryption_keys = given("RAVEN_ENCRYPTION_KEYS");
    let database_url = match database_url {
        Some(url) => url,
        None => postgres::ensure(stack, "raven")?,
    };
    let (amqp_url, management) = if let Some(url) = amqp_url {
        (url, None)
    } else {
        let urls = rabbitmq::ensure(stack)?;
        (urls.amqp, Some(urls.management))
    };
    let encryption_keys = match encryption_keys {
        Some(keys) => keys,
        None => secret::kept(&stack.dir.join("encryption-keys"), secret::encryption_keys)?,
    };
    Ok(Settings { database_url, amqp_url, encryption_keys, management, programs, more: Vec::new() })
}

/// What the environment says of a server, for `up`, which may work on anybody's. What makes up requests, and deletes what is
/// there, must not: it has servers of its own whatever is set.
fn given(purpose: Purpose, name: &str, value: Option<String>) -> Option<String> {
    let value = value?;
    if purpose == Purpose::Up {
        say(format!("{name} is set: using that"));
        return Some(value);
    }
    say(format!("{name} is set: passed over"));
    None
}

/// Builds Raven's programs and the stand-in for Mailjet.
pub(crate) fn build(workspace: &Workspace, profile: &str, interrupt: &Interrupt) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", profile, "--bins"]);
    cargo.args(["-p", "ingest", "-p", "worker", "-p", "cli", "-p", "mailjet-sim"]);
    ensure!(Foreground::new(interrupt).run(&mut cargo)?.success(), "the build failed");
    Ok(())
}

/// The demonstration, unless it is not wanted, and what to do next.
fn show(options: &Options, stack: &Stack, raven: &Raven, settings: &Settings, urls: &Urls) -> Result<()> {
    let tenant = if options.no_demo { None } else { Some(demo::run(stack, raven, urls)?) };
    summary::print(settings, urls, tenant.as_ref());
    Ok(())
}

fn stop_started(stack: &mut Stack) {
    let started = stack.state.started().to_vec();
    if started.is_empty() {
        return;
    }
    heading("Stopping what was started");
    if let Err(error) = stack.stop_some(|name| started.iter().any(|one| one == name)) {
        say(format!("{error:#}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_up_takes_the_servers_of_the_environment() {
        let of = |purpose| given(purpose, "DATABASE_URL", Some("postgres://production/raven".to_owned()));
        assert_eq!(of(Purpose::Up).as_deref(), Some("postgres://production/raven"));
        for purpose in [Purpose::ApiTest, Purpose::Test, Purpose::Bench, Purpose::Prove] {
            assert_eq!(of(purpose), None);
        }
        assert_eq!(given(Purpose::Up, "DATABASE_URL", None), None);
    }
}

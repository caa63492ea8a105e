//! A private PostgreSQL server on a port of 127.0.0.1, with a password that only this clone knows.

mod find;
mod leftover;
mod psql;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::find::Programs;
use self::psql::Psql;
use super::{known_port, record, still_alive};
use crate::account::Account;
use crate::files;
use crate::process::Daemon;
use crate::progress::{Step, say};
use crate::secret::{hex, kept, random};
use crate::stack::{Purpose, Stack};

/// The postmaster, from which all others of the server descend.
pub(crate) const NAME: &str = "postgres";
/// Recovery after a crash is part of a start.
const START: Duration = Duration::from_mins(1);
/// Statements can be counted, and are not until a database asks for it.
const COUNTING: [&str; 4] =
    ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "pg_stat_statements.track=none"];

/// Makes sure that the server runs, and answers the URL of `database`, which exists then.
pub(crate) fn ensure(stack: &mut Stack, database: &str) -> Result<String> {
    let account = Account::for_server("postgres", &stack.dir.join(NAME))?;
    let root = stack.data(account.as_ref())?;
    let data = root.join(NAME);
    let account = Account::for_server("postgres", &data)?;
    let password = kept(&root.join("postgres.password"), || Ok(hex(&random::<16>()?)))?;
    let programs = find::programs(&data)?;
    let psql = |port| Psql { program: programs.dir.join("psql"), port, password: password.clone() };

    let psql = if stack.state.alive(NAME).is_some() {
        let psql = psql(known_port(stack, NAME)?);
        psql.run("postgres", "select 1")
            .context("the recorded PostgreSQL does not answer; `cargo xtask down` ends it")?;
        say(format!("PostgreSQL is running on port {}", psql.port));
        psql
    } else {
        stack.state.stop(NAME, &[])?;
        if !data.join("PG_VERSION").exists() {
            initialise(stack, &programs, &data, account.as_ref(), &password)?;
        }
        leftover::clear(stack, &data)?;
        let psql = psql(stack.state.choose_port(NAME, None)?);
        start(stack, &programs, &data, account.as_ref(), &psql)?;
        psql
    };
    if psql.run("postgres", &format!("select 1 from pg_database where datname = '{database}'"))?.is_empty() {
        psql.run("postgres", &format!("create database {database}"))?;
    }
    Ok(format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", psql.port))
}

/// Makes the data directory. A run that was cut short leaves one without `PG_VERSION`, which is made again.
fn initialise(
    stack: &Stack,
    programs: &Programs,
    data: &Path,
    account: Option<&Account>,
    password: &str,
) -> Result<()> {
    let step = Step::begin(format!("creating a PostgreSQL {} database directory", programs.version));
    files::remove(data)?;
    Stack::server_dir(data, account)?;
    // initdb reads the password as the account that it runs under, from a file outside the directory that it fills.
    let password_file =
        std::env::temp_dir().join(format!("raven-{}-{}", stack.state.id(), hex(&random::<8>()?)));
    files::write_private(&password_file, password.as_bytes())?;
    if let Some(account) = account {
        account.own(&password_file)?;
    }
    let mut command = Command::new(programs.dir.join("initdb"));
    command.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=password"]);
    // Passwords go in the clear over the loopback interface alone; SCRAM in a debug build would cost every test time.
    command.arg("--pwfile").arg(&password_file).arg("-D").arg(data);
    if matches!(stack.purpose, Purpose::Test | Purpose::ApiTest) {
        command.arg("--no-sync");
    }
    if let Some(account) = account {
        account.apply(&mut command);
    }
    let output = command.current_dir(data).stdin(Stdio::null()).output();
    files::remove(&password_file)?;
    let output = output.context("cannot start initdb")?;
    ensure!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
    step.done("done");
    Ok(())
}

fn start(
    stack: &mut Stack,
    programs: &Programs,
    data: &Path,
    account: Option<&Account>,
    psql: &Psql,
) -> Result<()> {
    let mut step = Step::begin(format!("starting PostgreSQL {}", programs.version));
    let mut daemon = Daemon::new(&programs.dir.join(NAME));
    daemon.command().current_dir(data).arg("-D").arg(data).args(settings(stack.purpose, psql.port));
    if stack.purpose == Purpose::Bench && programs.can_count_statements() {
        daemon.command().args(COUNTING);
    }
    let mark = daemon.start(&stack.log(NAME), account)?;
    record(stack, NAME, mark)?;
    step.wait(START, &stack.interrupt, || {
        still_alive(stack, NAME, NAME)?;
        Ok(psql.run("postgres", "select 1").ok())
    })?;
    step.done(&format!("ready on port {}", psql.port));
    Ok(())
}

/// `-c name=value` for every setting that differs from PostgreSQL's defaults.
fn settings(purpose: Purpose, port: u16) -> Vec<String> {
    let common = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
    ];
    let own: &[&str] = match purpose {
        Purpose::Up | Purpose::Bench | Purpose::Prove => &["max_connections=200"],
        Purpose::Test | Purpose::ApiTest => {
            &["max_connections=500", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        }
    };
    let all = common.into_iter().chain(own.iter().map(|setting| (*setting).to_owned()));
    all.flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

/// The major version that made a data directory.
fn version_of(data: &Path) -> Option<String> {
    fs::read_to_string(data.join("PG_VERSION")).ok().map(|version| version.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_give_up_durability() {
        let test = settings(Purpose::Test, 20_001);
        for durable in [Purpose::Up, Purpose::Bench, Purpose::Prove] {
            let durable = settings(durable, 20_001);
            assert!(!durable.iter().any(|setting| setting.contains("=off")));
        }
        for unsafe_one in ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
            assert!(test.iter().any(|setting| setting == unsafe_one));
        }
    }

    #[test]
    fn the_server_listens_to_this_machine_only() {
        let settings = settings(Purpose::Up, 20_001);
        assert_eq!(settings[..4], ["-c", "listen_addresses=127.0.0.1", "-c", "port=20001"]);
    }
}

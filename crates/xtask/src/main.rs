//! `cargo xtask`: the one place that knows how this project is run and tested.
//!
//! Guarantee: what a command started is stopped by it or recorded for `cargo xtask down`, and nothing else on the
//! machine is ever signalled. It holds no product logic and, being the first thing a clean clone compiles, no library
//! that takes long.

mod account;
mod api_test;
mod bench;
mod down;
mod files;
mod http;
mod interrupt;
mod os;
mod packages;
mod ports;
mod process;
mod progress;
mod prove;
mod secret;
mod server;
mod stack;
mod state;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::{Interrupt, Interrupted};

/// Raven's task runner.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start everything on this machine, send demo mails, and stay until Ctrl-C.
    ///
    /// PostgreSQL and RabbitMQ are private instances on free ports; what they store is kept in .raven/.
    /// `DATABASE_URL` and `AMQP_URL`, if set, are used instead.
    Up(up::Options),
    /// Stop what `up --detach` left running.
    Down(down::Options),
    /// Run every test, with private servers that lie beside those of `up`.
    Test(test::Options),
    /// Try the HTTP API with made-up requests, good and bad, and check every answer against its OpenAPI document.
    ///
    /// Schemathesis makes them; it is installed from `PyPI` into .raven/, and needs Python 3.10 or later.
    ApiTest(api_test::Options),
    /// Measure, with private servers that lie beside those of `up` and are as durable.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Break everything, and compare what clients were told with what became of it.
    ///
    /// Servers are private, lie beside those of `up`, are as durable, and are killed and started again meanwhile.
    Prove(prove::Options),
    /// What `raven-prove` does to the servers of the `prove` that it runs under.
    #[command(hide = true)]
    ProveServer(prove::ServerOptions),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    match cli.command {
        Task::Up(options) => up::run(&options, &interrupt).map(|()| ExitCode::SUCCESS),
        Task::Down(options) => down::run(&options, &interrupt).map(|()| ExitCode::SUCCESS),
        Task::Test(options) => test::run(&options, &interrupt),
        Task::ApiTest(options) => api_test::run(&options, &interrupt),
        Task::Bench(bench) => bench::run(&bench, &interrupt),
        Task::Prove(options) => prove::run(&options, &interrupt),
        Task::ProveServer(options) => prove::server(&options, &interrupt).map(|()| ExitCode::SUCCESS),
    }
}

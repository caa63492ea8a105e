//! `raven-bench`: how fast Raven is, beside what its servers do without it.
//!
//! Guarantee: each figure of Raven stands beside one of the same run, the same bodies and the same servers without
//! Raven, so that the ratio says something on any machine. A measurement in which anything was lost or refused is
//! reported as a failure, never as a figure. Raven is seen from outside only: its programs, its queue, its tables.

mod bare;
mod common;
mod corpus;
mod doors;
mod drain;
mod events;
mod facts;
mod http;
mod installation;
mod load;
mod memory;
mod parcel;
mod process;
mod progress;
mod queue;
mod report;
mod sends;
mod servers;
mod spent;
mod statistics;
mod usage;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Measures Raven; `cargo xtask bench` starts it with servers of its own.
#[derive(Parser)]
#[command(name = "raven-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The way of an event: webhooks into the queue, the queue into Postgres, and the worker's memory meanwhile
    Events(events::Options),
    /// The way of a send: the queue to Mailjet, a lone message from POST to Mailjet, and the worker's memory meanwhile
    Sends(sends::Options),
    /// What doors are compared with: a server that reads a body and answers 200
    #[command(hide = true)]
    Bare {
        /// Where
        #[arg(long)]
        listen: std::net::SocketAddr,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(cli));
    // What is cut off by Ctrl-C need not be waited for.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Events(options) => events::run(&options, interrupted()).await,
        Command::Sends(options) => sends::run(&options, interrupted()).await,
        Command::Bare { listen } => bare::serve(listen).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("\nerror: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ends with the first signal that asks this process to end.
async fn interrupted() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

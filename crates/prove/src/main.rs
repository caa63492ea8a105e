//! `raven-prove`: breaks everything under load, and shows that nothing was lost, doubled or misreported.
//!
//! Guarantee: three ledgers are compared that know nothing of each other: what clients were told, what the stand-in for
//! Mailjet accepted, and what Raven's API says. Raven is seen from outside only: its programs, its ports, its answers.

mod client;
mod faults;
mod load;
mod options;
mod program;
mod progress;
mod recovery;
mod run;
mod servers;
mod simulator;
mod site;
mod spool;
mod tenant;
mod told;
mod verdict;
mod words;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    service::program::install_tls();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run::run(&options) => outcome,
            interrupted = interrupted() => interrupted.and_then(|()| anyhow::bail!("interrupted")),
        }
    });
    // What is cut off by Ctrl-C need not be waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("\nerror: {fault:#}");
            ExitCode::from(2)
        }
    }
}

/// Ends with the first signal that asks this process to end.
async fn interrupted() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

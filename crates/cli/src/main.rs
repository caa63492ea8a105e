//! `raven`: the operator's hand on an installation. It does nothing that a library function does not.

mod args;
mod commands;
mod failure;
mod output;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use service::{Environment, core_dumps, program};

use crate::args::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::install_tls();
    let environment = Environment::of_process()
        .and_then(|environment| core_dumps::turn_off_unless_wanted(&environment).map(|()| environment));
    let environment = match environment {
        Ok(environment) => environment,
        Err(invalid) => return complain(&invalid, program::MISCONFIGURED),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return complain(&fault, program::FAILED),
    };
    match runtime.block_on(commands::run(arguments, &environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => complain(&format!("{fault:#}"), failure::exit_code(&fault)),
    }
}

/// One line on standard error, and the exit code that goes with it.
fn complain(what: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "raven: {what}");
    ExitCode::from(code)
}

//! `raven-worker`: see the crate's library.

use std::process::ExitCode;

use worker::settings::{PROGRAM, Settings};

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, worker::run)
}

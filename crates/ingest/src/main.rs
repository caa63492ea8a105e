//! `raven-ingest`: see the crate's library.

use std::process::ExitCode;

use ingest::settings::{PROGRAM, Settings};

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, ingest::run)
}

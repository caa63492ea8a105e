//! `raven-ingest-sabotaged`: `raven-ingest` with one guarantee broken on purpose, for the proof to find out.

use std::process::ExitCode;

use ingest::settings::{PROGRAM, Settings};

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, ingest::run)
}

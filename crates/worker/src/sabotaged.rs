//! `raven-worker-sabotaged`: `raven-worker` with one guarantee broken on purpose, for the proof to find out.

use std::process::ExitCode;

use worker::settings::{PROGRAM, Settings};

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, worker::run)
}

//! `raven-worker`: see the crate's library.

use std::process::ExitCode;

use worker::settings::{PROGRAM, Settings};

/// Bodies are taken and given back at a high rate, by other threads than took them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, worker::run)
}

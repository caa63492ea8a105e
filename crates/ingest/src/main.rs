//! `raven-ingest`: see the crate's library.

use std::process::ExitCode;

use ingest::settings::{PROGRAM, Settings};

/// Bodies are taken and given back at a high rate, by other threads than took them: a tenth of the processor time of a
/// request. The worker goes without, since it holds twice the memory for little.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    PROGRAM.main(Settings::read, ingest::run)
}

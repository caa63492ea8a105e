//! `cargo xtask down`: ends what `up --detach` left, or what a crash left of any `up`.

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::progress::say;
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

/// How to stop.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Delete the data of the private servers too
    #[arg(long)]
    fresh: bool,
}

/// Stops by the record, so it also works when nothing runs.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut stack = Stack::open(&workspace, Purpose::Up, interrupt)?;
    let _lock = stack.lock()?;
    stack.reload()?;
    if !stack.stop_all()? {
        say("nothing was running");
    }
    if options.fresh {
        stack.delete_data()?;
        say("deleted the data of the private servers");
    }
    Ok(())
}

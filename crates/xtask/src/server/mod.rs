//! Private servers: PostgreSQL and RabbitMQ of the machine's packages, run for this clone alone.

mod epmd;
pub(crate) mod postgres;
pub(crate) mod rabbitmq;
mod version;

use anyhow::{Context, Result, bail};

use crate::files;
use crate::process::Mark;
use crate::stack::Stack;

/// Records a server that was just started, with no recipe: what it was started with lives in its files.
fn record(stack: &mut Stack, name: &str, mark: Mark) -> Result<()> {
    stack.state.record(name, mark, "")
}

/// An error with the end of the log when a server that should come up has ended.
fn still_alive(stack: &Stack, name: &str, log: &str) -> Result<()> {
    if stack.state.alive(name).is_some() {
        return Ok(());
    }
    let log = stack.log(log);
    bail!("{name} ended while starting; {} says:\n{}", log.display(), files::tail(&log, 15));
}

/// The port a running server was recorded with.
fn known_port(stack: &Stack, name: &str) -> Result<u16> {
    stack
        .state
        .port(name)
        .with_context(|| format!("state.json has no port for {name}; run `cargo xtask down`"))
}

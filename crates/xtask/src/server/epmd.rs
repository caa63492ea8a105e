//! Erlang's port mapper on a port of our own. Left to itself, a node would start one that stays behind for ever and is
//! shared with everything else on the machine.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::version::newest_first;
use super::{record, still_alive};
use crate::account::Account;
use crate::os;
use crate::process::Daemon;
use crate::progress::Step;
use crate::stack::Stack;

const NAME: &str = "epmd";

/// Starts the port mapper, and answers its port.
pub(super) fn start(stack: &mut Stack, home: &Path, account: Option<&Account>) -> Result<u16> {
    let program = find().context("RabbitMQ is installed, but Erlang's epmd is not found")?;
    let port = stack.state.choose_port(NAME, None)?;
    let mut daemon = Daemon::new(&program);
    daemon.command().current_dir(home).args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    let mark = daemon.start(&stack.log(NAME), account)?;
    record(stack, NAME, mark)?;
    let mut step = Step::begin("starting Erlang's port mapper");
    step.wait(Duration::from_secs(10), &stack.interrupt, || {
        still_alive(stack, NAME, NAME)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok())
    })?;
    step.done(&format!("ready on port {port}"));
    Ok(port)
}

fn find() -> Option<PathBuf> {
    let packaged = || newest_first(Path::new("/usr/lib/erlang"), "bin/epmd").into_iter().next();
    os::on_path(NAME).or_else(packaged)
}

//! A private RabbitMQ node, with a name, a home, a cookie and ports of its own, that listens on 127.0.0.1 only.

mod alarm;
mod config;
mod probe;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

pub(crate) use self::alarm::Alarms;
use self::config::{Node, Ports};
use super::version::newest_first;
use super::{epmd, known_port, record, still_alive};
use crate::account::Account;
use crate::files;
use crate::http::Http;
use crate::os;
use crate::packages;
use crate::process::{Daemon, Mark};
use crate::progress::{Step, say};
use crate::stack::{Purpose, Stack};

/// The Erlang virtual machine, known from the file that it writes its pid to.
const NAME: &str = "rabbitmq";
/// The shell script that starts it and stays as its parent.
const SCRIPT: &str = "rabbitmq-start";
/// What makes up a node, the port mapper apart, which knows nothing that matters.
pub(crate) const NAMES: [&str; 2] = [SCRIPT, NAME];
/// A first start on a small and busy machine.
const START: Duration = Duration::from_mins(2);

/// Where a node is reached.
pub(crate) struct Urls {
    /// Without a virtual host.
    pub(crate) amqp: String,
    /// The management API and page.
    pub(crate) management: String,
}

/// Makes sure that the node runs and takes connections.
pub(crate) fn ensure(stack: &mut Stack) -> Result<Urls> {
    let account = Account::for_server("rabbitmq", &stack.dir.join(NAME))?;
    let home = stack.data(account.as_ref())?.join(NAME);
    let node = format!("raven_{}@localhost", stack.state.id());
    let ports = if stack.state.alive(NAME).is_some() {
        let ports = recorded_ports(stack)?;
        let ready = probe::ready(&Http::new(), &ports, &node);
        ready.context("the recorded RabbitMQ does not answer; `cargo xtask down` ends it")?;
        say(format!("RabbitMQ is running on port {}", ports.amqp));
        ports
    } else {
        let program = program()?;
        // After a crash some of these are left.
        stack.stop_some(|name| [NAME, SCRIPT, "epmd"].contains(&name))?;
        // The package that was installed just now may have brought the account.
        let account = Account::for_server("rabbitmq", &home)?;
        start(stack, &program, &Node { name: node, home, account })?
    };
    Ok(Urls {
        amqp: format!("amqp://guest:guest@127.0.0.1:{}", ports.amqp),
        management: format!("http://guest:guest@127.0.0.1:{}", ports.management),
    })
}

/// The server's own script. Debian's wrapper in `/usr/sbin` insists on one user and one directory, so it comes last.
fn program() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    packages::install("rabbitmq-server")?;
    find().context("rabbitmq-server is installed, but its script is in none of the known places")
}

fn find() -> Option<PathBuf> {
    let packaged = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let versions =
        || newest_first(Path::new("/usr/lib/rabbitmq/lib"), "sbin/rabbitmq-server").into_iter().next();
    Some(packaged).filter(|file| file.is_file()).or_else(versions).or_else(|| os::on_path("rabbitmq-server"))
}

fn recorded_ports(stack: &Stack) -> Result<Ports> {
    Ok(Ports {
        amqp: known_port(stack, "amqp")?,
        management: known_port(stack, "management")?,
        distribution: known_port(stack, "distribution")?,
        epmd: known_port(stack, "epmd")?,
    })
}

fn start(stack: &mut Stack, program: &Path, node: &Node) -> Result<Ports> {
    Stack::server_dir(&node.home, node.account.as_ref())?;
    let ports = Ports {
        epmd: epmd::start(stack, &node.home, node.account.as_ref())?,
        amqp: stack.state.choose_port("amqp", None)?,
        management: stack.state.choose_port("management", None)?,
        distribution: stack.state.choose_port("distribution", None)?,
    };
    write_config(stack.purpose, node, &ports)?;
    let mut step = Step::begin("starting RabbitMQ");
    let mut daemon = Daemon::new(program);
    node.environment(&ports, daemon.command());
    let mark = daemon.start(&stack.log(NAME), node.account.as_ref())?;
    record(stack, SCRIPT, mark)?;
    let http = Http::new();
    let interrupt = stack.interrupt.clone();
    step.wait(START, &interrupt, || {
        still_alive(stack, SCRIPT, NAME)?;
        if !stack.state.is_recorded(NAME)
            && let Some(mark) = pid_file(&node.pid_file())
        {
            record(stack, NAME, mark)?;
        }
        Ok(probe::ready(&http, &ports, &node.name).ok().filter(|()| stack.state.is_recorded(NAME)))
    })?;
    step.done(&format!("ready on port {}", ports.amqp));
    Ok(ports)
}

/// Written anew at each start, since ports may have changed. The pid file of an earlier node would be taken for this one's.
fn write_config(purpose: Purpose, node: &Node, ports: &Ports) -> Result<()> {
    files::remove(&node.pid_file())?;
    for (name, text) in config::files(purpose, ports) {
        let path = node.home.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        if let Some(account) = &node.account {
            account.own(&path)?;
        }
    }
    Ok(())
}

fn pid_file(path: &Path) -> Option<Mark> {
    Mark::of(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}

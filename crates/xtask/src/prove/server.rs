//! What a proof does to its servers while it runs: kills them, starts them again, holds them up, has them complain.

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

use crate::interrupt::Interrupt;
use crate::process::{Mark, tree};
use crate::server::{postgres, rabbitmq};
use crate::stack::{Purpose, Stack};
use crate::workspace::Workspace;

/// Held while a server is being started, which changes the record of what runs.
const LOCK: &str = "servers.lock";

/// What is done to which server.
#[derive(clap::Args)]
pub(crate) struct ServerOptions {
    server: Server,
    action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    Rabbitmq,
    Postgres,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Ends all its processes at once, as a power cut would
    Kill,
    /// Starts it again with its data and on its ports, and waits until it takes connections
    Start,
    /// Stops all its processes in their tracks
    Pause,
    /// Lets them go on
    Resume,
    /// Has RabbitMQ think that its memory is full
    MemoryAlarm,
    /// Has RabbitMQ think that its disk is full
    DiskAlarm,
    /// Ends both alarms
    Calm,
}

/// Does it and returns when it is done; the lock of the stack is held by the `prove` that this happens under.
pub(crate) fn server(options: &ServerOptions, interrupt: &Interrupt) -> Result<()> {
    // Only errors are said: what is printed belongs to the program that called.
    rustix::stdio::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
    let mut stack = Stack::open(&Workspace::find()?, Purpose::Prove, interrupt)?;
    ensure!(stack.try_lock()?.is_none(), "`cargo xtask prove` does not run here");
    let roots = options.server.roots(&stack);
    let alarm = |alarms: rabbitmq::Alarms| match options.server {
        Server::Rabbitmq => alarms.raise(&stack),
        Server::Postgres => bail!("PostgreSQL has no alarms"),
    };
    // What strikes nothing must not pass for a fault.
    let is_start = matches!(options.action, Action::Start);
    ensure!(is_start || options.server.runs(&stack), "it does not run");
    match options.action {
        Action::Kill => ensure!(tree::kill(&roots), "some of its processes are still there"),
        Action::Start => return options.server.start(&mut stack),
        Action::Pause => {
            let frozen = tree::freeze(&roots);
            ensure!(roots.iter().all(|root| frozen.contains(root)), "some of its processes have gone");
            ensure!(frozen.iter().all(tree::is_still), "some of its processes do not stand still");
        }
        Action::Resume => tree::thaw(&roots),
        Action::MemoryAlarm => return alarm(rabbitmq::Alarms::Memory),
        Action::DiskAlarm => return alarm(rabbitmq::Alarms::Disk),
        Action::Calm => return alarm(rabbitmq::Alarms::None),
    }
    Ok(())
}

/// Ends all that is left of the servers, whatever was done to them last. What they stored is thrown away, so there is
/// nothing that an orderly end would save.
pub(super) fn end(stack: &mut Stack) -> Result<()> {
    // One that is being started is recorded when its start is over or given up.
    let _lock = stack.wait_for_lock(LOCK)?;
    stack.reload()?;
    let every: Vec<Mark> =
        [Server::Rabbitmq, Server::Postgres].iter().flat_map(|one| one.roots(stack)).collect();
    tree::kill(&every);
    stack.stop_all()?;
    Ok(())
}

impl Server {
    /// What its recorded processes are called; the server itself comes last.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Rabbitmq => &rabbitmq::NAMES,
            Self::Postgres => &[postgres::NAME],
        }
    }

    /// Whether the server itself runs, whatever else of it does.
    fn runs(self, stack: &Stack) -> bool {
        self.names().last().is_some_and(|name| stack.state.alive(name).is_some())
    }

    /// The recorded processes from which all others of the server descend, as far as they run.
    fn roots(self, stack: &Stack) -> Vec<Mark> {
        self.names().iter().filter_map(|name| Some(stack.state.alive(name)?.mark.clone())).collect()
    }

    fn start(self, stack: &mut Stack) -> Result<()> {
        let _lock = stack.wait_for_lock(LOCK)?;
        // Another one may have been started meanwhile.
        stack.reload()?;
        let ports = |stack: &Stack| ["postgres", "amqp", "management"].map(|name| stack.state.port(name));
        let before = ports(stack);
        match self {
            Self::Rabbitmq => _ = rabbitmq::ensure(stack)?,
            Self::Postgres => _ = postgres::ensure(stack, "postgres")?,
        }
        ensure!(ports(stack) == before, "its port was taken by another program meanwhile");
        Ok(())
    }
}

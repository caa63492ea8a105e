//! One set of servers and what belongs to it: the stack of `up`, or that of a command that tests or measures.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, geteuid};

use crate::account::Account;
use crate::files;
use crate::interrupt::Interrupt;
use crate::process::Ladder;
use crate::progress::say;
use crate::state::State;
use crate::workspace::Workspace;

/// In the order in which they are stopped: what uses a server goes before the server.
const ORDER: [(&str, Ladder); 7] = [
    ("worker", DRAIN),
    ("ingest", DRAIN),
    ("mailjet-sim", &[(Signal::TERM, Duration::from_secs(5))]),
    ("rabbitmq", DRAIN),
    ("rabbitmq-start", &[(Signal::TERM, Duration::from_secs(5))]),
    ("epmd", &[(Signal::TERM, Duration::from_secs(5))]),
    // SIGTERM would wait for clients; SIGINT ends their sessions and writes a checkpoint, SIGQUIT only ends.
    ("postgres", &[(Signal::INT, Duration::from_secs(20)), (Signal::QUIT, Duration::from_secs(5))]),
];
/// Longer than the services' own grace, so that they are killed only when they hang.
const DRAIN: Ladder = &[(Signal::TERM, Duration::from_secs(30))];

/// What a stack is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `cargo xtask up`: data is kept and durable.
    Up,
    /// `cargo xtask test`: data is thrown away, and nothing waits for the disk.
    Test,
    /// `cargo xtask api-test`: as for tests.
    ApiTest,
    /// `cargo xtask bench`: data is thrown away, but as durable as in production, since that is what is measured.
    Bench,
    /// `cargo xtask prove`: data is thrown away, but as durable as in production, since that is what is proved.
    Prove,
}

/// The files and processes of one stack.
pub(crate) struct Stack {
    pub(crate) purpose: Purpose,
    /// `.raven`, or a directory in it for each other purpose.
    pub(crate) dir: PathBuf,
    pub(crate) state: State,
    pub(crate) interrupt: Interrupt,
    /// Names the stack when nothing does yet.
    id: String,
}

impl Stack {
    /// Opens the stack's directory, with what is recorded there.
    pub(crate) fn open(workspace: &Workspace, purpose: Purpose, interrupt: &Interrupt) -> Result<Self> {
        let top = workspace.root.join(".raven");
        let (dir, id) = match purpose {
            Purpose::Up => (top, workspace.id()),
            Purpose::Test => (top.join("test"), format!("{}_test", workspace.id())),
            Purpose::ApiTest => (top.join("api-test"), format!("{}_api", workspace.id())),
            Purpose::Bench => (top.join("bench"), format!("{}_bench", workspace.id())),
            Purpose::Prove => (top.join("prove"), format!("{}_prove", workspace.id())),
        };
        files::directory(&dir.join("log"))?;
        let state = State::load(&dir, &id)?;
        Ok(Self { purpose, dir, state, interrupt: interrupt.clone(), id })
    }

    /// Where a process writes its output.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    /// Lets one command at a time start or stop things here; the lock ends with the returned file.
    pub(crate) fn lock(&self) -> Result<File> {
        let mut told = false;
        loop {
            if let Some(file) = self.try_lock()? {
                return Ok(file);
            }
            self.interrupt.check()?;
            if !told {
                say("another `cargo xtask` is at work here; waiting for it");
                told = true;
            }
            crate::os::pause(Duration::from_millis(200));
        }
    }

    /// The lock, unless another command holds it.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        let file = self.open_lock("lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).context("cannot lock"),
        }
    }

    /// A lock beside the first, for as long as it takes: those who hold it are done soon, and see every interrupt
    /// themselves.
    pub(crate) fn wait_for_lock(&self, name: &str) -> Result<File> {
        let file = self.open_lock(name)?;
        file.lock().context("cannot lock")?;
        Ok(file)
    }

    fn open_lock(&self, name: &str) -> Result<File> {
        let path = self.dir.join(name);
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the state again, after another command may have changed it.
    pub(crate) fn reload(&mut self) -> Result<()> {
        self.state = State::load(&self.dir, &self.id)?;
        Ok(())
    }

    /// Where the servers keep their data: here, or, when the account they run under cannot come here (a clone in
    /// root's home), in a directory of `/var/tmp`, which is recorded.
    pub(crate) fn data(&mut self, account: Option<&Account>) -> Result<PathBuf> {
        if let Some(outside) = self.state.data().map(Path::to_owned) {
            make_outside(&outside)?;
            return Ok(outside);
        }
        let is_here = ["postgres", "rabbitmq"].iter().any(|server| self.dir.join(server).exists());
        if is_here || account.is_none_or(|account| account.can_enter(&self.dir)) {
            return Ok(self.dir.clone());
        }
        let outside = PathBuf::from(format!("/var/tmp/raven-{}", self.state.id()));
        say(format!("servers cannot reach {}; their data is in {}", self.dir.display(), outside.display()));
        make_outside(&outside)?;
        self.state.set_data(&outside)?;
        Ok(outside)
    }

    /// Creates a server's own directory, closed to everybody else.
    pub(crate) fn server_dir(path: &Path, account: Option<&Account>) -> Result<()> {
        files::directory(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        account.map_or(Ok(()), |account| account.own(path))
    }

    /// Stops everything that is recorded, in order, and says so.
    pub(crate) fn stop_all(&mut self) -> Result<bool> {
        self.stop_some(|_| true)
    }

    /// Stops what is recorded under the names that `which` picks.
    pub(crate) fn stop_some(&mut self, which: impl Fn(&str) -> bool) -> Result<bool> {
        let mut any = false;
        for (name, ladder) in ORDER.into_iter().filter(|(name, _)| which(name)) {
            if self.state.stop(name, ladder)? {
                say(format!("stopped {name}"));
                any = true;
            }
        }
        Ok(any)
    }

    /// Removes what the servers stored. Keys stay: a database outside this directory may still need them.
    pub(crate) fn delete_data(&mut self) -> Result<()> {
        let data = self.state.data().map_or_else(|| self.dir.clone(), Path::to_owned);
        for name in ["postgres", "postgres.password", "rabbitmq"] {
            files::remove(&data.join(name))?;
        }
        files::remove(&self.dir.join("demo.json"))
    }
}

/// Anybody may create names in `/var/tmp`, so what is found there must be our own directory.
fn make_outside(path: &Path) -> Result<()> {
    if fs::create_dir(path).is_err() {
        let found =
            fs::symlink_metadata(path).with_context(|| format!("cannot create {}", path.display()))?;
        ensure!(
            found.is_dir() && found.uid() == geteuid().as_raw(),
            "{} belongs to somebody else; remove it",
            path.display()
        );
    }
    fs::set_permissions(path, Permissions::from_mode(0o711))?;
    Ok(())
}

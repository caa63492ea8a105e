//! Starting processes: servers that stay, and builds that are waited for.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Mark;
use crate::account::Account;
use crate::files;
use crate::interrupt::Interrupt;
use crate::os;

/// A server in a session of its own: Ctrl-C in the terminal does not reach it, closing the terminal neither.
pub(crate) struct Daemon(Command);

impl Daemon {
    /// `program` under `setsid`, which keeps the pid because a fresh child leads no process group.
    pub(crate) fn new(program: &Path) -> Self {
        let mut command = Command::new("setsid");
        command.arg(program);
        Self(command)
    }

    /// The command behind, for arguments and environment.
    pub(crate) fn command(&mut self) -> &mut Command {
        &mut self.0
    }

    /// Starts it with output to `log`; the log of the run before is kept beside it.
    pub(crate) fn start(mut self, log: &Path, account: Option<&Account>) -> Result<Mark> {
        if log.exists() {
            std::fs::rename(log, files::beside(log, "1"))?;
        }
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        if let Some(account) = account {
            account.apply(&mut self.0);
        }
        self.0.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = self.0.spawn().context("cannot start setsid, which is part of util-linux")?;
        Mark::of(child.id()).with_context(|| {
            format!("a process ended at once; {} says:\n{}", log.display(), files::tail(log, 20))
        })
    }
}

/// A command that is waited for, in a process group of its own, so that an interrupt ends all of it: `cargo test` and
/// the test programs under it.
pub(crate) struct Foreground<'a> {
    interrupt: &'a Interrupt,
}

impl<'a> Foreground<'a> {
    /// Runs that end when `interrupt` is set.
    pub(crate) fn new(interrupt: &'a Interrupt) -> Self {
        Self { interrupt }
    }

    /// Runs the command to its end with our own output.
    pub(crate) fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        self.interrupt.check()?;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if let Err(interrupted) = self.interrupt.check() {
                end_group(&mut child)?;
                return Err(interrupted);
            }
            os::pause(Duration::from_millis(50));
        }
    }
}

/// The child has not been waited for yet, so its pid, which is also the group's, cannot be anybody else's.
fn end_group(child: &mut Child) -> Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a pid fits")?;
    for signal in [Signal::INT, Signal::KILL] {
        let _gone = kill_process_group(group, signal);
        for _ in 0..100 {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            os::pause(Duration::from_millis(50));
        }
    }
    Ok(())
}

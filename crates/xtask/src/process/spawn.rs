//! Starting processes: servers that stay, and builds that are waited for.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::Mark;
use crate::account::Account;
use crate::files;
use crate::interrupt::Interrupt;
use crate::os;

/// How long a command may take to end after an interrupt.
const LAST_CHANCE: Duration = Duration::from_secs(5);

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

    /// As [`run`](Self::run), and then kills what the command left running in its process group, also what was stopped
    /// in its tracks and could not end by itself.
    pub(crate) fn run_and_clear(&self, command: &mut Command) -> Result<ExitStatus> {
        self.interrupt.check()?;
        let mut child = spawn(command)?;
        let group = group(&child)?;
        // It is looked at without being waited for, so that its pid, which is also the group's, stays its own.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let mut asked: Option<Instant> = None;
        while waitid(WaitId::Pid(group), ended)?.is_none() {
            if self.interrupt.is_set() && asked.is_none() {
                let _gone = kill_process_group(group, Signal::INT);
                asked = Some(Instant::now());
            }
            if asked.is_some_and(|asked| asked.elapsed() > LAST_CHANCE) {
                break;
            }
            os::pause(Duration::from_millis(50));
        }
        let _empty = kill_process_group(group, Signal::KILL);
        let status = child.wait()?;
        self.interrupt.check()?;
        Ok(status)
    }

    /// Runs the command to its end with our own output.
    pub(crate) fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        self.interrupt.check()?;
        let mut child = spawn(command)?;
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

fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.process_group(0).stdin(Stdio::null()).spawn();
    child.with_context(|| format!("cannot start {}", command.get_program().display()))
}

fn group(child: &Child) -> Result<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a pid fits")
}

/// The child has not been waited for yet, so its pid, which is also the group's, cannot be anybody else's.
fn end_group(child: &mut Child) -> Result<()> {
    let group = group(child)?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_a_command_leaves_behind_ends_with_it_even_when_it_stands_still() {
        let dir = tempfile::tempdir().unwrap();
        let script = "sleep 60 & kill -STOP $!; echo $! > pid; exit 3";
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(dir.path());

        let status = Foreground::new(&Interrupt::default()).run_and_clear(&mut command).unwrap();

        assert_eq!((status.code(), status.signal()), (Some(3), None));
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap().trim().parse().unwrap();
        while Mark::of(pid).is_some() {
            std::thread::yield_now();
        }
    }
}

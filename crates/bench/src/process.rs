//! A program of Raven that runs until this value goes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// Longer than the services' own grace.
const END: Duration = Duration::from_secs(40);

/// A running program. It is killed with this value.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program with our own environment and these variables; its output goes to a file in `logs`.
    pub(crate) fn start(
        program: &Path,
        logs: &Path,
        arguments: &[&str],
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = logs.join(format!("{name}.log"));
        fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name, child, log })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A failure, with the end of its log, when it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("{} ended by itself ({status}); {} says:\n{end}", self.name, self.log.display());
    }

    /// Asks it to end, and waits until it has finished what it has in hand.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.check()?;
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("the id of a child")?;
        kill_process(pid, Signal::TERM)?;
        let interval = Duration::from_millis(20);
        until(&format!("the end of {}", self.name), (END, interval), async || Ok(self.child.try_wait()?))
            .await?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is neither signalled nor waited for again.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

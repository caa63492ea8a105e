//! What a server that was killed leaves behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::files;
use crate::progress::Step;
use crate::stack::Stack;

/// Removes the lock file of a server that is gone. PostgreSQL itself asks whether the pid in that file exists, and so
/// refuses to start for as long as the pid is a zombie's or was given to another process, which in a container may be
/// for ever. Every process of a server works in its data directory, so where nobody works nobody is hurt.
pub(super) fn clear(stack: &Stack, data: &Path) -> Result<()> {
    let lock = data.join("postmaster.pid");
    if !lock.exists() {
        return Ok(());
    }
    let mut step = Step::begin("waiting for what is left of a killed PostgreSQL");
    step.wait(Duration::from_secs(30), &stack.interrupt, || Ok((!is_used(data)).then_some(())))?;
    files::remove(&lock)?;
    step.done("gone");
    Ok(())
}

/// Whether a process that we may look at has this working directory; those of a private server are among them.
fn is_used(data: &Path) -> bool {
    let Ok(data) = data.canonicalize() else { return false };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok()).any(|cwd| cwd == data)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_directory_is_used_while_a_process_works_in_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_used(dir.path()));
        let mut child = Command::new("sleep").arg("60").current_dir(dir.path()).spawn().unwrap();
        assert!(is_used(dir.path()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_used(dir.path()));
    }
}

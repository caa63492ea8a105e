//! Processes that outlive the command that started them.
//!
//! Guarantee: nothing is ever signalled by a bare pid. A process is known by its pid, its start time and the boot it
//! belongs to, so that a pid that the system has since given to another process is left alone.

mod spawn;
mod stat;
mod stop;
pub(crate) mod tree;

use std::fs;

use serde::{Deserialize, Serialize};

pub(crate) use spawn::{Daemon, Foreground};
pub(crate) use stop::{Ladder, reap, stop};

/// What tells one process from every other, also from a later one with the same pid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) pid: u32,
    /// Clock ticks between the boot of the machine and the start of the process.
    pub(crate) started: u64,
    /// The boot that `started` counts from.
    pub(crate) boot: String,
}

impl Mark {
    /// The mark of a running process, or `None` when there is none with this pid.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = stat::read(pid)?;
        (!stat.is_over()).then(|| Self { pid, started: stat.started, boot: boot() })
    }

    /// Whether exactly this process still runs. A zombie has ended; only its parent has not asked yet.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

/// The kernel's name for this boot; empty where it is not told, which then never differs.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Mark {
        Mark::of(std::process::id()).unwrap()
    }

    #[test]
    fn this_process_is_alive() {
        assert!(own().is_alive());
    }

    #[test]
    fn a_pid_that_was_given_to_another_process_is_not_ours() {
        let own = own();
        assert!(!Mark { started: own.started - 1, ..own.clone() }.is_alive());
        assert!(!Mark { boot: "another".to_owned(), ..own }.is_alive());
    }

    #[test]
    fn a_process_that_ended_is_not_alive_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        while Mark::of(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "the child is a zombie now");
        child.wait().unwrap();
        assert!(Mark::of(pid).is_none());
    }
}

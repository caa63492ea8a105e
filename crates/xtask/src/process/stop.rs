//! Ending a process: ask, wait, insist.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};

use super::Mark;
use crate::os;

/// Signals in the order they are tried, each with the time the process gets before the next.
pub(crate) type Ladder = &'static [(Signal, Duration)];

/// Stops one process and says whether it had to be asked at all.
pub(crate) fn stop(mark: &Mark, ladder: Ladder) -> bool {
    if !mark.is_alive() {
        return false;
    }
    for (signal, patience) in ladder {
        send(mark, *signal);
        if gone_within(mark, *patience) {
            return true;
        }
    }
    send(mark, Signal::KILL);
    gone_within(mark, Duration::from_secs(5));
    true
}

/// Takes the exit status of an ended child, so that it is no zombie under an init that does not look. Only children can
/// be waited for, so for any other process this does nothing.
pub(crate) fn reap(mark: &Mark) {
    let pid = i32::try_from(mark.pid).ok().and_then(Pid::from_raw);
    let _no_child = pid.map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
}

/// Signals exactly the marked process. The descriptor pins the process before its start time is compared, so that
/// even a pid that changes hands at this moment hits nobody else.
pub(super) fn send(mark: &Mark, signal: Signal) {
    let Some(pid) = i32::try_from(mark.pid).ok().and_then(Pid::from_raw) else { return };
    // A process that has ended meanwhile refuses the signal, and that is what was wanted.
    let _gone = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) if mark.is_alive() => pidfd_send_signal(process, signal),
        Err(Errno::NOSYS | Errno::PERM) if mark.is_alive() => kill_process(pid, signal),
        Ok(_) | Err(_) => Ok(()),
    };
}

pub(super) fn gone_within(mark: &Mark, patience: Duration) -> bool {
    let begun = Instant::now();
    while mark.is_alive() {
        if begun.elapsed() > patience {
            return false;
        }
        os::pause(Duration::from_millis(20));
    }
    true
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    const GENTLE: Ladder = &[(Signal::TERM, Duration::from_secs(5))];

    #[test]
    fn a_process_is_asked_first() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(stop(&Mark::of(child.id()).unwrap(), GENTLE));
        assert_eq!(child.wait().unwrap().signal(), Some(15));
    }

    #[test]
    fn a_process_that_does_not_listen_is_killed() {
        const IMPATIENT: Ladder = &[(Signal::TERM, Duration::from_millis(50))];
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo; exec sleep 60"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut ready = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        assert!(stop(&Mark::of(child.id()).unwrap(), IMPATIENT));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_recycled_pid_is_left_alone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mark = Mark::of(child.id()).unwrap();
        let earlier = Mark { started: mark.started - 1, ..mark.clone() };
        assert!(!stop(&earlier, GENTLE));
        send(&earlier, Signal::KILL);
        assert!(mark.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

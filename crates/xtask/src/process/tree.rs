//! A process with all that descends from it, taken as one: what a power cut or a starved machine does to a whole server.
//!
//! Every process is found by who its parent is while that parent stands still, so that none is forked meanwhile, and is
//! then known by its mark like any other.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::stop::{gone_within, send};
use super::{Mark, boot, stat};
use crate::os;

/// A process stands still as soon as the kernel next looks at it; only one that waits for a disk may take longer.
const STANDSTILL: Duration = Duration::from_secs(5);
/// A killed process may have much memory to give back.
const END: Duration = Duration::from_secs(10);

/// Stops the processes and all that descend from them in their tracks; answers all of them.
pub(crate) fn freeze(roots: &[Mark]) -> Vec<Mark> {
    let begun = Instant::now();
    let mut frozen: Vec<Mark> = Vec::new();
    loop {
        let present = family(roots);
        let new: Vec<&Mark> = present.iter().filter(|mark| !frozen.contains(mark)).collect();
        for mark in &new {
            send(mark, Signal::STOP);
        }
        let all_are_still = new.is_empty() && present.iter().all(is_still);
        frozen = present;
        if all_are_still || begun.elapsed() > STANDSTILL {
            return frozen;
        }
        os::pause(Duration::from_millis(2));
    }
}

/// Lets the processes and all that descend from them go on.
pub(crate) fn thaw(roots: &[Mark]) {
    for mark in family(roots) {
        send(&mark, Signal::CONT);
    }
}

/// Kills the processes and all that descend from them; none of them sees another end. Answers whether all are gone.
pub(crate) fn kill(roots: &[Mark]) -> bool {
    let all = freeze(roots);
    for mark in &all {
        send(mark, Signal::KILL);
    }
    all.iter().all(|mark| gone_within(mark, END))
}

/// Those of `roots` that run, and all that descend from them.
fn family(roots: &[Mark]) -> Vec<Mark> {
    let boot = boot();
    let present: Vec<(u32, stat::Stat)> = stat::all().filter(|(_, stat)| !stat.is_over()).collect();
    let mark = |pid: u32, started| Mark { pid, started, boot: boot.clone() };
    // Looked up in the same reading, so that a pid which changed hands has no children here.
    let mut found: Vec<Mark> = Vec::new();
    let runs = |root: &&Mark| present.iter().any(|(pid, stat)| mark(*pid, stat.started) == **root);
    found.extend(roots.iter().filter(runs).cloned());
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|mark| mark.pid) {
        for (pid, stat) in present.iter().filter(|(_, stat)| stat.parent == parent) {
            let child = mark(*pid, stat.started);
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// Whether it does nothing, for it is stopped or has ended.
pub(crate) fn is_still(mark: &Mark) -> bool {
    stat::read(mark.pid).is_none_or(|stat| stat.started != mark.started || stat.is_still())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell with a child in a session of its own, as a Postgres backend is, and that child's mark.
    fn parent_and_child() -> (Child, Mark) {
        let mut command = Command::new("sh");
        command.args(["-c", "setsid sleep 60 & echo $!; wait"]).stdout(Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let child = Mark::of(line.trim().parse().unwrap()).unwrap();
        (parent, child)
    }

    #[test]
    fn a_family_stands_still_goes_on_and_ends_together() {
        let (mut parent, child) = parent_and_child();
        let root = [Mark::of(parent.id()).unwrap()];

        assert!(freeze(&root).contains(&child));
        assert!(is_still(&root[0]) && is_still(&child));
        thaw(&root);
        while is_still(&child) {
            std::thread::yield_now();
        }

        assert!(kill(&root));
        assert!(!child.is_alive());
        parent.wait().unwrap();
    }

    #[test]
    fn the_children_of_a_recycled_pid_are_left_alone() {
        let (mut parent, child) = parent_and_child();
        let root = Mark::of(parent.id()).unwrap();
        let earlier = Mark { started: root.started - 1, ..root.clone() };

        assert!(freeze(std::slice::from_ref(&earlier)).is_empty());
        assert!(kill(&[earlier]));
        assert!(child.is_alive() && root.is_alive());

        assert!(kill(&[root]));
        parent.wait().unwrap();
    }
}

//! What processes used, as Linux tells it in `/proc`.

use std::fs;
use std::time::Duration;

/// Clock ticks a second in `/proc`; the same on every architecture that Rust's standard library supports.
const TICKS: u64 = 100;

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The most since its start.
    pub(crate) peak: u64,
}

/// Processor time of a process and of its threads, also of those that have ended.
pub(crate) fn cpu(pid: u32) -> Duration {
    read(pid).map(|stat| ticks(stat.own)).unwrap_or_default()
}

/// Processor time of a process and of its children, ended or not. Postgres has one child for each connection.
pub(crate) fn cpu_of_family(parent: u32) -> Duration {
    let own = read(parent).map(|stat| stat.own + stat.ended_children).unwrap_or_default();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids.filter_map(read).filter(|stat| stat.parent == parent).map(|stat| stat.own);
    ticks(own + children.sum::<u64>())
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    read(pid).map(|stat| stat.parent)
}

/// Memory of a process; nothing of one that has ended.
pub(crate) fn memory(pid: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Memory { resident: field("VmRSS:").unwrap_or_default(), peak: field("VmHWM:").unwrap_or_default() }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold spaces and parentheses itself, so fields are counted after the last one.
fn parse(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The state is field 3 of the line; the parent is field 4, and the four times are fields 14 to 17.
    let time = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: time(14)? + time(15)?,
        ended_children: time(16)? + time(17)?,
    })
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "42 (a) S 7 (b) S 9 42 42 0 -1 4194304 10 0 0 0 11 22 33 44 20 0 1 0 987654 1000";
        assert_eq!(parse(line), Some(Stat { parent: 9, own: 33, ended_children: 77 }));
        assert_eq!(parse("42 (a) S 9"), None);
        assert_eq!(ticks(33), Duration::from_millis(330));
    }

    #[test]
    fn this_process_uses_memory() {
        let memory = memory(std::process::id());
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        assert!(parent(std::process::id()).is_some());
    }
}

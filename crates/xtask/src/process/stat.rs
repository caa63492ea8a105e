//! The few fields of `/proc/PID/stat` that tell one process from another.

use std::fs;

/// State, parent and start of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    pub(super) parent: u32,
    /// Clock ticks since the machine's boot.
    pub(super) started: u64,
}

impl Stat {
    /// Zombies and dead processes hold a pid but do nothing any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether it does nothing: it has ended, or was stopped by a signal.
    pub(super) fn is_still(&self) -> bool {
        self.is_over() || matches!(self.state, 'T' | 't')
    }
}

/// What the kernel says about a pid; `None` when there is no such process.
pub(super) fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process of this machine that is told of, with its pid.
pub(super) fn all() -> impl Iterator<Item = (u32, Stat)> {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?)))
}

/// The name in parentheses may hold spaces and parentheses itself, so fields are counted after the last one.
fn parse(line: &str) -> Option<Stat> {
    let (_, fields) = line.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is field 3 of the line, the parent field 4 and the start time field 22.
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "S 1 42 42 0 -1 4194304 10 0 0 0 1 2 0 0 20 0 1 0 987654 1000 20 18446744073709551615";

    #[test]
    fn the_parent_is_the_fourth_field_and_the_start_time_the_twenty_second() {
        let stat = parse(&format!("42 (beam.smp) {TAIL}")).unwrap();
        assert_eq!(stat, Stat { state: 'S', parent: 1, started: 987_654 });
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        assert_eq!(parse(&format!("42 (a) S 7 (b) {TAIL}")).unwrap().started, 987_654);
    }

    #[test]
    fn a_line_that_is_cut_is_no_process() {
        assert_eq!(parse("42 (beam.smp) S 1 42"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_was_stopped_is_still_but_not_over() {
        let stopped = parse(&format!("42 (x) {}", TAIL.replacen('S', "T", 1))).unwrap();
        assert!(stopped.is_still() && !stopped.is_over());
        assert!(!parse(&format!("42 (x) {TAIL}")).unwrap().is_still());
    }

    #[test]
    fn zombies_are_over() {
        assert!(parse(&format!("42 (x) {}", TAIL.replacen('S', "Z", 1))).unwrap().is_over());
    }
}

//! The two fields of `/proc/PID/stat` that tell one process from another.

use std::fs;

/// State and start of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    /// Clock ticks since the machine's boot.
    pub(super) started: u64,
}

impl Stat {
    /// Zombies and dead processes hold a pid but do nothing any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// What the kernel says about a pid; `None` when there is no such process.
pub(super) fn read(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold spaces and parentheses itself, so fields are counted after the last one.
fn parse(line: &str) -> Option<Stat> {
    let (_, fields) = line.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is field 3 of the line and the start time field 22.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "S 1 42 42 0 -1 4194304 10 0 0 0 1 2 0 0 20 0 1 0 987654 1000 20 18446744073709551615";

    #[test]
    fn the_start_time_is_the_twenty_second_field() {
        let stat = parse(&format!("42 (beam.smp) {TAIL}")).unwrap();
        assert_eq!(stat, Stat { state: 'S', started: 987_654 });
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
    fn zombies_are_over() {
        assert!(parse(&format!("42 (x) {}", TAIL.replacen('S', "Z", 1))).unwrap().is_over());
    }
}

//! The spool of an ingest, as its metrics tell of it: what waits there is in no queue and in no other ledger.

/// What is told of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spool {
    /// Messages and events on the disk.
    pub(crate) waiting: u64,
    /// How many of them cannot be read.
    pub(crate) unreadable: u64,
    /// How many were written since the program started.
    accepted: u64,
}

impl Spool {
    /// Reads the metrics of an ingest; `None` where they do not tell of a spool.
    pub(crate) fn read(metrics: &str) -> Option<Self> {
        let figure = |name: &str| {
            let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            lines.next()?.trim().parse::<u64>().ok()
        };
        let waiting = figure("raven_spool_messages")?;
        let unreadable = figure("raven_spool_unreadable")?;
        // A counter is not told before it counts for the first time.
        let accepted = figure("raven_spool_accepted_total").unwrap_or_default();
        Some(Self { waiting, unreadable, accepted })
    }
}

/// How much went through a spool, over every restart of its program. What was counted between the last look and a sudden
/// end is not in it, so that there may have been more.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    last: u64,
    total: u64,
}

impl Passage {
    /// Takes note of a look at the spool.
    pub(crate) fn note(&mut self, spool: Spool) {
        // A counter that has fallen began anew.
        self.total += spool.accepted.checked_sub(self.last).unwrap_or(spool.accepted);
        self.last = spool.accepted;
    }

    /// So much at least.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::{Passage, Spool};

    #[test]
    fn a_spool_is_read_from_the_metrics() {
        let metrics =
            "# TYPE raven_spool_messages gauge\nraven_spool_messages 3\n\nraven_spool_unreadable 1\n";
        let spool = Spool { waiting: 3, unreadable: 1, accepted: 0 };
        assert_eq!(Spool::read(metrics), Some(spool));
        let counted = format!("raven_spool_accepted_total 70\n{metrics}");
        assert_eq!(Spool::read(&counted), Some(Spool { accepted: 70, ..spool }));
        assert_eq!(Spool::read("raven_spool_messages_more 3\nraven_spool_unreadable 0\n"), None);
        assert_eq!(Spool::read(""), None);
    }

    #[test]
    fn what_was_counted_before_a_restart_stays_counted() {
        let mut passage = Passage::default();
        for accepted in [0, 5, 5, 2, 4] {
            passage.note(Spool { waiting: 0, unreadable: 0, accepted });
        }
        assert_eq!(passage.total(), 9);
    }
}

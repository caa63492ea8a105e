//! The table at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::findings::Findings;
use crate::faults::Record;
use crate::told::Book;

/// Everything that a run shows.
pub(crate) struct Report<'a> {
    pub(crate) seed: u64,
    /// How often each kind of fault was to strike at least.
    pub(crate) rounds: usize,
    /// For how long things broke.
    pub(crate) broken: Duration,
    /// How long it took once everything was healed, all comparing included.
    pub(crate) quiet: Duration,
    pub(crate) book: &'a Book,
    pub(crate) findings: &'a Findings,
    /// What attempts came to, by outcome and code.
    pub(crate) attempts: Vec<(String, i64)>,
    pub(crate) struck: &'a Record,
    /// Messages and events that went through a spool, at least.
    pub(crate) spooled: u64,
    /// What the proof itself could not do, and why.
    pub(crate) undone: Vec<String>,
    pub(crate) misdeeds: BTreeMap<String, u64>,
    pub(crate) panics: Vec<String>,
}

impl Report<'_> {
    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.faults().iter().all(|(_, count)| *count == 0)
    }

    /// Every way in which a run can fail, with how often it did.
    fn faults(&self) -> Vec<(&'static str, usize)> {
        let mut faults: Vec<_> =
            self.findings.wrong().into_iter().map(|(name, wrong)| (name, wrong.count)).collect();
        let all = self.struck.kinds.values().flatten().chain(&self.struck.healed);
        let slow = all.filter(|back| back.is_none()).count();
        faults.extend([
            ("read backwards", self.book.backwards.len()),
            ("strange answers", usize::try_from(self.book.strange_count).unwrap_or(usize::MAX)),
            ("not back within a minute", slow),
            ("ended or ill by themselves", self.misdeeds.len()),
            ("panics", self.panics.len()),
            ("faults that could not be injected", self.struck.broken_off.len()),
            ("kinds that struck too seldom", self.struck.seldom(self.rounds).count()),
            ("steps of the proof that failed", self.undone.len()),
        ]);
        faults
    }

    fn ledgers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (book, findings) = (self.book, self.findings);
        let count = |status: u16| book.answers.get(&status).copied().unwrap_or_default();
        writeln!(f, "what clients were told")?;
        writeln!(f, "{:>9}  messages answered 200", findings.answered)?;
        writeln!(f, "{:>9}  events posted by hand and answered 200", book.events.len())?;
        writeln!(f, "{:>9}  changes by hand answered with success", book.changes.len())?;
        writeln!(f, "{:>9}  answers 503 or 408, after which clients tried again", count(503) + count(408))?;
        writeln!(f, "{:>9}  requests without an answer, likewise", count(0))?;
        writeln!(f, "{:>9}  given up although everything was healed", book.given_up)?;
        writeln!(f, "{:>9}  messages read again meanwhile, to see that none goes back", book.readings)?;
        writeln!(f, "what Raven says in the end")?;
        for (status, count) in &findings.statuses {
            writeln!(f, "{count:>9}  messages {status}")?;
        }
        writeln!(f, "{:>9}  events in the history", findings.events)?;
        writeln!(f, "not so nice, and by the rules")?;
        writeln!(f, "{:>9}  messages that took more than one attempt", findings.tried_again)?;
        writeln!(f, "{:>9}  messages that went out though their client never heard a 200", findings.unheard)?;
        writeln!(f, "{:>9}  messages and events at least that went through a spool", self.spooled)?;
        writeln!(f, "what attempts came to")?;
        self.attempts.iter().try_for_each(|(outcome, count)| writeln!(f, "{count:>9}  {outcome}"))
    }

    fn recovery(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "back after each fault: from the end of its cause until what it struck was ready and a new message had gone \
             out,\nwith the faults of the other tracks going on meanwhile"
        )?;
        writeln!(f, "{:<40} {:>5} {:>8} {:>8}", "", "times", "median", "worst")?;
        for (kind, all) in &self.struck.kinds {
            let mut times: Vec<Duration> = all.iter().flatten().copied().collect();
            times.sort_unstable();
            let seconds = |time: Option<&Duration>| {
                time.map_or("-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
            };
            let median = seconds(times.get(times.len() / 2));
            let worst = if times.len() < all.len() { "> 60 s".to_owned() } else { seconds(times.last()) };
            writeln!(f, "{kind:<40} {:>5} {median:>8} {worst:>8}", all.len())?;
        }
        Ok(())
    }

    fn examples(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, wrong) in self.findings.wrong() {
            wrong.shown.iter().try_for_each(|one| writeln!(f, "{name}: {one}"))?;
        }
        self.book.backwards.iter().take(5).try_for_each(|one| writeln!(f, "read backwards: {one}"))?;
        self.book.strange.iter().take(5).try_for_each(|one| writeln!(f, "strange answer: {one}"))?;
        let mut broken_off = self.struck.broken_off.iter().take(5);
        broken_off.try_for_each(|one| writeln!(f, "broken off: {one}"))?;
        let mut seldom = self.struck.seldom(self.rounds).take(5);
        seldom.try_for_each(|(kind, times)| writeln!(f, "struck {times} times only: {kind}"))?;
        self.undone.iter().take(5).try_for_each(|one| writeln!(f, "failed: {one}"))?;
        self.misdeeds.iter().try_for_each(|(one, times)| writeln!(f, "{one} (seen {times} times)"))?;
        self.panics.iter().take(5).try_for_each(|one| writeln!(f, "{one}"))
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nseed {}: {} faults of {} kinds in {} s, each kind at least {} times; {} {} s after everything \
             was healed\n",
            self.seed,
            self.struck.total(),
            self.struck.kinds.len(),
            self.broken.as_secs(),
            self.struck.fewest(),
            if self.holds() { "all in order" } else { "compared" },
            self.quiet.as_secs(),
        )?;
        self.ledgers(f)?;
        self.recovery(f)?;
        writeln!(f)?;
        self.examples(f)?;
        let faults: Vec<String> =
            self.faults().iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "verdict: {}: {}", if self.holds() { "holds" } else { "BROKEN" }, faults.join(", "))
    }
}

//! How the spool is, for those who ask: callers, readiness, metrics and the log.

use metrics::{counter, gauge};

use super::log::Totals;

/// Why the spool takes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What waits has come near the limit, and something did not fit.
    Full,
    /// The disk fails: how.
    Broken(String),
}

/// How it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Entries on disk.
    pub(super) messages: u64,
    /// How many of them cannot be read, and stay.
    pub(super) aside: u64,
    pub(super) bytes: u64,
    pub(super) limit: u64,
    /// When the oldest of them came, in microseconds since 1970.
    pub(super) oldest: Option<u64>,
    pub(super) trouble: Option<Trouble>,
}

impl Status {
    pub(super) fn of(totals: Totals, aside: u64, limit: u64, trouble: Option<Trouble>) -> Self {
        let Totals { messages, bytes, oldest } = totals;
        Self { messages, aside, bytes, limit, oldest, trouble }
    }

    /// How many wait for RabbitMQ.
    pub(super) fn waiting(&self) -> u64 {
        self.messages.saturating_sub(self.aside)
    }

    /// Whether what waits is to be published before what comes now. On a disk that fails it cannot be.
    pub(super) fn goes_first(&self) -> bool {
        self.waiting() > 0 && !self.is_broken()
    }

    /// Whether the disk fails.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Broken(_)))
    }

    /// Why nothing is accepted at present, if so: the spool takes nothing, and RabbitMQ is away or has to wait for it.
    pub(crate) fn shut(&self, broker_is_up: bool) -> Option<String> {
        self.fault().filter(|_| !broker_is_up || self.goes_first())
    }

    /// Why the spool takes nothing at present, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        match self.trouble.as_ref()? {
            Trouble::Full => Some(format!(
                "full: {} messages with {} of {} bytes wait for RabbitMQ",
                self.messages, self.bytes, self.limit
            )),
            Trouble::Broken(fault) => Some(format!("the disk fails: {fault}")),
        }
    }

    /// Tells what has changed since `before`: each change of state once, and how much was added and taken away.
    pub(super) fn tell(&self, before: &Self, (added, removed): (u64, u64)) {
        counter!("raven_spool_accepted_total").increment(added);
        counter!("raven_spool_drained_total").increment(removed);
        self.tell_size();
        match (before.waiting(), self.waiting()) {
            (0, 1..) => tracing::warn!("spool: RabbitMQ takes nothing; what is accepted waits on disk"),
            (1.., 0) if self.aside == before.aside => {
                tracing::info!("spool: everything that waited on disk is in the queue");
            }
            _ => {}
        }
        let kind = |status: &Self| status.trouble.as_ref().map(std::mem::discriminant);
        if kind(before) != kind(self) {
            if let Some(fault) = self.fault() {
                tracing::error!("spool: {fault}");
            } else {
                tracing::info!("spool: it can be written again");
            }
        }
    }

    /// Tells how much waits.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, exact up to 2^53")]
    pub(super) fn tell_size(&self) {
        gauge!("raven_spool_messages").set(self.messages as f64);
        gauge!("raven_spool_unreadable").set(self.aside as f64);
        gauge!("raven_spool_bytes").set(self.bytes as f64);
    }

    /// Tells the age of the oldest entry, which grows while nothing else changes.
    pub(super) fn tell_age(&self, now: jiff::Timestamp) {
        let now = u64::try_from(now.as_microsecond()).unwrap_or_default();
        let age = self.oldest.map_or(0, |oldest| now.saturating_sub(oldest) / 1_000_000);
        gauge!("raven_spool_oldest_seconds").set(f64::from(u32::try_from(age).unwrap_or(u32::MAX)));
    }
}

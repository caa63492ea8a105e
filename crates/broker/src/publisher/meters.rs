//! What publishing is measured by.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram};

use super::Answer;
use crate::{PublishError, Queue};

/// Outcomes by which publishes are counted; the first is success.
const OUTCOMES: [&str; 7] = ["confirmed", "down", "blocked", "busy", "silent", "refused", "unconfirmed"];

/// Made once for each queue, at its first use: looking a metric up by its labels costs more than counting.
#[derive(Default)]
pub(super) struct Meters([OnceLock<Meter>; Queue::COUNT]);

struct Meter {
    seconds: Histogram,
    outcomes: [Counter; 7],
}

impl Meters {
    pub(super) fn note(&self, queue: Queue, answer: &Answer, took: Duration) {
        let name = queue.name();
        let meter = self.0[queue as usize].get_or_init(|| Meter {
            seconds: metrics::histogram!("raven_publish_seconds", "queue" => name),
            outcomes: OUTCOMES.map(
                |outcome| metrics::counter!("raven_publishes_total", "queue" => name, "outcome" => outcome),
            ),
        });
        meter.seconds.record(took.as_secs_f64());
        meter.outcomes[place(answer)].increment(1);
    }
}

const fn place(answer: &Answer) -> usize {
    match answer {
        Ok(()) => 0,
        Err(PublishError::Down) => 1,
        Err(PublishError::Blocked) => 2,
        Err(PublishError::Busy) => 3,
        Err(PublishError::Silent) => 4,
        Err(PublishError::Refused) => 5,
        Err(PublishError::Unconfirmed) => 6,
    }
}

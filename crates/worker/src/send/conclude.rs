//! What follows from an outcome.

use domain::{Outcome, Status};
use jiff::Timestamp;
use store::messages::Transition;

use super::{Job, Sender};

impl Sender {
    /// The transition that an attempt's outcome leads to.
    pub(crate) fn conclude(&self, job: &Job, outcome: Outcome) -> Transition {
        let now = Timestamp::now();
        let (to, due_at) = match &outcome {
            Outcome::Accepted(_) => (Status::Sent, None),
            Outcome::Refused(_) => (Status::Failed, None),
            Outcome::NotSent(_) => match self.retry.next(job.since, now, job.attempt, fastrand::f64()) {
                Some(at) => (Status::Queued, Some(at)),
                None => (Status::Failed, None),
            },
            Outcome::Uncertain(_) => (Status::Sending, self.reconcile.next(now, 0)),
        };
        if let Some(reason) = outcome.reason() {
            tracing::info!(
                message = %job.id, tenant = %job.tenant, attempt = job.attempt, outcome = outcome.name(),
                code = reason.code, words = reason.message, "not accepted",
            );
        }
        Transition { id: job.id, tenant: job.tenant, attempt: job.attempt, outcome, to, due_at, look_ups: 0 }
    }
}

//! What follows from an outcome.

use broker::sabotage::{self, Sabotage};
use domain::{Outcome, Status};
use jiff::Timestamp;
use store::messages::Transition;

use super::{Job, Sender};

impl Sender {
    /// The transition that an attempt's outcome leads to.
    pub(crate) fn conclude(&self, job: &Job, outcome: Outcome) -> Transition {
        let now = Timestamp::now();
        let outcome = match outcome {
            Outcome::Uncertain(why) if sabotage::is(Sabotage::ResendWithoutLookUp) => Outcome::NotSent(why),
            known => known,
        };
        let (to, wait) = match &outcome {
            Outcome::Accepted(_) => (Status::Sent, None),
            Outcome::Refused(_) => (Status::Failed, None),
            Outcome::NotSent(_) => match self.retry.next(job.since, now, job.tries, fastrand::f64()) {
                Some(wait) => (Status::Queued, Some(wait)),
                None => (Status::Failed, None),
            },
            Outcome::Uncertain(_) => (Status::Sending, self.reconcile.next(0)),
        };
        // What befalls a call as a whole is told once, where the call is.
        if let Outcome::Refused(reason) = &outcome
            && let Some(left_out) = self.rations.refusals.take()
        {
            tracing::info!(
                message = %job.id, tenant = %job.tenant, attempt = job.attempt, code = reason.code,
                words = reason.message, left_out, "refused",
            );
        }
        Transition { id: job.id, tenant: job.tenant, attempt: job.attempt, outcome, to, wait, look_ups: 0 }
    }
}

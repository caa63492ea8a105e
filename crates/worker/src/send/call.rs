//! One call, and what its answer means for each of its messages.

use domain::{Outcome, Reason};
use mailjet::{Outgoing, SendAnswer};
use store::messages::Transition;
use tokio::time::Instant;

use super::{Account, Job, Sender};

impl Sender {
    /// Hands `jobs` over in one call. When Mailjet refuses the call for one of its messages, halves it until the
    /// culprit is alone: a refused call took nothing on, so its messages are safe to send again.
    pub(super) async fn call(
        &self,
        account: &Account,
        sandbox: bool,
        jobs: Vec<Job>,
        until: Instant,
    ) -> Vec<Transition> {
        let mut transitions = Vec::with_capacity(jobs.len());
        let mut open: Vec<Vec<Job>> = vec![jobs];
        while let Some(mut part) = open.pop() {
            let outcomes = match self.once(account, sandbox, &part, until).await {
                SendAnswer::Each(outcomes) => outcomes,
                SendAnswer::All(outcome) => vec![outcome; part.len()],
                SendAnswer::Culprit(reason) if part.len() == 1 => vec![Outcome::Refused(reason)],
                SendAnswer::Culprit(_) => {
                    let rest = part.split_off(part.len() / 2);
                    open.extend([rest, part]);
                    continue;
                }
            };
            transitions.extend(part.iter().zip(outcomes).map(|(job, outcome)| self.conclude(job, outcome)));
        }
        transitions
    }

    async fn once(&self, account: &Account, sandbox: bool, jobs: &[Job], until: Instant) -> SendAnswer {
        let not_begun = || {
            let words = "The call could not begin in time; the message goes back to wait its turn.";
            SendAnswer::All(Outcome::NotSent(Reason::new("not_begun", words)))
        };
        // Past this moment another worker may ask Mailjet, and in the end send: no call may begin.
        let Ok(Ok(_permit)) = tokio::time::timeout_at(until, self.calls.acquire()).await else {
            return not_begun();
        };
        if Instant::now() >= until {
            return not_begun();
        }
        let outgoing: Vec<Outgoing<'_>> = jobs
            .iter()
            .map(|job| Outgoing {
                id: job.id,
                from: job.message.from.as_ref().unwrap_or(&account.from),
                message: &job.message,
            })
            .collect();
        let started = Instant::now();
        let answer = self.client.send(&account.credentials, sandbox, &outgoing).await;
        metrics::histogram!("raven_mailjet_send_seconds").record(started.elapsed().as_secs_f64());
        metrics::histogram!("raven_mailjet_send_batch").record(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        answer
    }
}

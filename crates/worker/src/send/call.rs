//! One call, and what its answer means for each of its messages.

use domain::{Outcome, Reason, TenantId};
use mailjet::{Outgoing, SendAnswer};
use tokio::time::Instant;

use super::news::News;
use super::record::Settled;
use super::{Job, Sender};

impl Sender {
    /// Hands `jobs`, which are of one account and one sandbox flag, over in one call. When Mailjet refuses the call for
    /// one of its messages, halves it until the culprit is alone: a refused call took nothing on, so its messages are
    /// safe to send again.
    pub(super) async fn call(&self, jobs: Vec<Job>) -> Vec<Settled> {
        let mut settled = Vec::with_capacity(jobs.len());
        let mut open: Vec<Vec<Job>> = vec![jobs];
        while let Some(mut part) = open.pop() {
            let outcomes = match self.once(&part).await {
                Some(SendAnswer::Each(outcomes)) => outcomes,
                Some(SendAnswer::All(outcome)) => vec![outcome; part.len()],
                Some(SendAnswer::Culprit(reason)) if part.len() == 1 => vec![Outcome::Refused(reason)],
                Some(SendAnswer::Culprit(_)) => {
                    let rest = part.split_off(part.len() / 2);
                    open.extend([rest, part]);
                    continue;
                }
                None => {
                    settled.extend(part.into_iter().map(|job| job.give_back(None)));
                    continue;
                }
            };
            settled.extend(part.into_iter().zip(outcomes).map(|(job, outcome)| {
                let transition = self.conclude(&job, outcome);
                Settled::attempt(transition, Some(job.place))
            }));
        }
        settled
    }

    /// Answers none when the call could not begin in time. Past that moment another worker may ask Mailjet, and in the
    /// end send.
    async fn once(&self, jobs: &[Job]) -> Option<SendAnswer> {
        let first = jobs.first()?;
        let deadline = jobs.iter().map(|job| job.deadline).min()?;
        let _turn = self.liveness.turn("calls");
        let _permit = tokio::time::timeout_at(deadline.at(), self.calls.acquire()).await.ok()?.ok()?;
        let outgoing: Vec<Outgoing<'_>> = jobs
            .iter()
            .map(|job| Outgoing {
                id: job.id,
                from: job.message.from.as_ref().unwrap_or(&job.account.from),
                message: &job.message,
            })
            .collect();
        if jobs.iter().any(|job| job.deadline.passed()) {
            return None;
        }
        let begun = Instant::now();
        let answer = self.client.send(&first.account.credentials, first.sandbox, &outgoing).await;
        metrics::histogram!("raven_mailjet_send_seconds").record(begun.elapsed().as_secs_f64());
        metrics::histogram!("raven_mailjet_send_batch").record(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        self.feel((first.tenant, jobs.len()), begun, &answer);
        Some(answer)
    }

    /// Lets the account's pace feel how a call went.
    fn feel(&self, (tenant, messages): (TenantId, usize), begun: Instant, answer: &SendAnswer) {
        let trouble = trouble(answer);
        if let Some(reason) = trouble {
            metrics::counter!("raven_mailjet_trouble_total", "code" => reason.code.clone()).increment(1);
        }
        let news = self.desk.note(tenant, begun, trouble.cloned());
        // Where Mailjet itself is in trouble, all accounts are.
        let Some(left_out) = (news != News::None).then(|| self.rations.accounts.take()).flatten() else {
            return;
        };
        self.desk.tell(tenant, news);
        if let Some(Reason { code, message: words }) = trouble {
            tracing::info!(%tenant, messages, code, words, left_out, "calls fail; their account is held back");
        } else {
            tracing::info!(%tenant, left_out, "calls go well again");
        }
    }
}

/// What an answer says against further calls of the same account for the moment. That a message was refused does not.
fn trouble(answer: &SendAnswer) -> Option<&Reason> {
    let of = |outcome| match outcome {
        &Outcome::NotSent(ref reason) | &Outcome::Uncertain(ref reason) => Some(reason),
        Outcome::Accepted(_) | Outcome::Refused(_) => None,
    };
    match answer {
        SendAnswer::All(outcome) => of(outcome),
        // Of a single message it may be the message's own fault.
        SendAnswer::Each(outcomes) if outcomes.iter().any(|outcome| of(outcome).is_none()) => None,
        SendAnswer::Each(outcomes) => outcomes.first().and_then(of),
        SendAnswer::Culprit(_) => None,
    }
}

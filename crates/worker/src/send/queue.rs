//! Taking messages from the queue `sends`.

use broker::{Delivery, Handler, Verdict};
use domain::QueuedMessage;
use store::messages::{Arrival, claim};

use super::{Job, Sender};
use crate::bisect::bisect;

impl Handler for Sender {
    /// After the claim Postgres holds the message, whatever becomes of this process; so the verdict is `Done` as soon
    /// as its outcome is recorded or left to be found out, and a redelivery finds the claim and does nothing.
    async fn handle(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let messages: Vec<Result<QueuedMessage, String>> = batch
            .iter()
            .map(|delivery| QueuedMessage::decode(&delivery.body).map_err(|fault| fault.to_string()))
            .collect();
        let mut verdicts: Vec<Verdict> = messages
            .iter()
            .map(|message| match message {
                Ok(_) => Verdict::RetryLater,
                Err(reason) => Verdict::DeadLetter(reason.clone()),
            })
            .collect();
        let good = messages.iter().enumerate().filter(|(_, message)| message.is_ok()).map(|(place, _)| place);
        let process = |places: Vec<usize>| {
            let arrivals = places
                .into_iter()
                .filter_map(|place| {
                    let queued = messages[place].as_ref().ok()?;
                    Some(Arrival { queued, content: &batch[place].body })
                })
                .collect();
            self.take_on(arrivals)
        };
        bisect(good.collect(), process, &mut verdicts).await;
        verdicts
    }
}

impl Sender {
    /// Claims, sends, records. Answers an error only when nothing was claimed.
    async fn take_on(&self, arrivals: Vec<Arrival<'_>>) -> Result<(), store::Error> {
        let until = self.begin();
        let mut claimed = claim(&self.store, &arrivals, self.lease()).await?;
        let jobs = arrivals
            .iter()
            .filter_map(|arrival| {
                let queued = arrival.queued;
                let claim = claimed.remove(&queued.id)?;
                Some(Job {
                    id: queued.id,
                    tenant: queued.tenant,
                    attempt: 1,
                    since: queued.accepted_at,
                    sandbox: queued.sandbox,
                    message: queued.message.clone().without(|key| claim.left_out.contains(key)),
                })
            })
            .collect();
        let transitions = self.deliver(jobs, until).await;
        self.record(&transitions).await;
        Ok(())
    }
}

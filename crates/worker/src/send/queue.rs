//! Taking messages from the queues of sends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use broker::{Delivery, Handler, Verdict};
use domain::{QueuedMessage, Reason, TenantId};
use store::messages::{Arrival, Plan, claim};

use super::accounts::Known;
use super::desk::Place;
use super::{Claim, Job, Sender, held_back};
use crate::bisect::bisect;

/// Handles the queues of sends.
pub(crate) struct Intake {
    pub(crate) sender: Arc<Sender>,
}

/// What is to become of a message of a batch.
enum Fate {
    /// It is claimed, and takes this place.
    Go(Place),
    /// It is kept in Postgres.
    Keep(Option<Reason>),
}

impl Handler for Intake {
    /// After the claim Postgres holds the message, whatever becomes of this process; so the verdict is `Done` as soon as
    /// that is committed, and a redelivery finds the claim and does nothing.
    async fn handle(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let _turn = self.sender.liveness.turn("sends");
        let mut verdicts = Vec::with_capacity(batch.len());
        let mut open = Vec::with_capacity(batch.len());
        let (mut firsts, mut copies) = (HashMap::new(), Vec::new());
        for (place, delivery) in batch.iter().enumerate() {
            match QueuedMessage::decode(&delivery.body) {
                Ok(message) => {
                    match firsts.entry(message.id) {
                        Entry::Occupied(first) => copies.push((place, *first.get())),
                        Entry::Vacant(vacant) => {
                            vacant.insert(place);
                            open.push((place, message));
                        }
                    }
                    verdicts.push(Verdict::RetryLater);
                }
                Err(fault) => verdicts.push(Verdict::DeadLetter(fault.to_string())),
            }
        }
        let accounts = match self.sender.accounts.of(open.iter().map(|(_, message)| message.tenant)).await {
            Ok(accounts) => accounts,
            Err(fault) => {
                tracing::debug!(%fault, "the batch is kept for later");
                return verdicts;
            }
        };
        let decided = open.into_iter().filter_map(|(place, queued)| {
            let fate = self.fate(&queued, batch[place].body.len(), accounts.get(&queued.tenant)?);
            Some((place, (queued, fate)))
        });
        self.take_on(batch, decided.collect(), &accounts, &mut verdicts).await;
        // What is stored is what goes out, so of several copies only the first counts; they may differ, where two requests
        // with one idempotency key met.
        for (copy, first) in copies {
            if verdicts[first] == Verdict::Done {
                verdicts[copy] = Verdict::Done;
            }
        }
        verdicts
    }
}

impl Intake {
    /// Decides what becomes of a message. Nothing waits here for room: others may stand behind it.
    fn fate(&self, queued: &QueuedMessage, bytes: usize, account: &Known) -> Fate {
        // A schedule is kept whatever the account is like.
        if queued.message.scheduled_at.is_some() {
            return Fate::Keep(None);
        }
        let recipients = queued.message.distinct_recipients();
        match account {
            Err(reason) => Fate::Keep(Some(reason.clone())),
            Ok(account) => match self.sender.desk.ask((queued.tenant, account), recipients, bytes) {
                Ok(place) => Fate::Go(place),
                Err(trouble) => Fate::Keep(trouble.as_ref().map(held_back)),
            },
        }
    }

    /// Claims, or keeps, those that have a fate, and hands over what is to go.
    async fn take_on(
        &self,
        batch: &[Delivery],
        decided: HashMap<usize, (QueuedMessage, Fate)>,
        accounts: &HashMap<TenantId, Known>,
        verdicts: &mut [Verdict],
    ) {
        let claimed = Mutex::new(HashMap::new());
        let process = async |places: Vec<usize>| {
            let deadline = self.sender.begin();
            let arrivals: Vec<Arrival<'_>> = places
                .iter()
                .filter_map(|place| {
                    let (queued, fate) = decided.get(place)?;
                    Some(Arrival { queued, content: &batch[*place].body, plan: plan(queued, fate, accounts) })
                })
                .collect();
            let claims = claim(&self.sender.store, &arrivals, self.sender.lease()).await?;
            let claims = claims.into_iter().map(|(id, claim)| (id, (claim, deadline)));
            claimed.lock().unwrap_or_else(PoisonError::into_inner).extend(claims);
            Ok(())
        };
        let mut places: Vec<usize> = decided.keys().copied().collect();
        places.sort_unstable();
        bisect(places, process, verdicts).await;
        let mut claimed = claimed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let jobs = decided.into_values().filter_map(|(mut queued, fate)| {
            let (Fate::Go(place), Some(Ok(account))) = (fate, accounts.get(&queued.tenant)) else {
                return None;
            };
            let (claim, deadline) = claimed.remove(&queued.id)?;
            queued.message = queued.message.without(|key| claim.left_out.contains(key));
            let claim = Claim { attempt: 1, tries: 1, vanished: 0, since: queued.accepted_at, deadline };
            Some(Job::new(queued, Arc::clone(account), &claim, place))
        });
        self.sender.hand_over(jobs.collect());
    }
}

fn plan<'a>(queued: &QueuedMessage, fate: &'a Fate, accounts: &HashMap<TenantId, Known>) -> Plan<'a> {
    match (fate, accounts.get(&queued.tenant)) {
        (Fate::Go(_), Some(Ok(account))) => Plan::Send(account.digest),
        (Fate::Keep(reason), _) => Plan::Keep(reason.as_ref()),
        // There is no room for what has no account.
        (Fate::Go(_), _) => Plan::Keep(None),
    }
}

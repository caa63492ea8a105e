//! Messages whose time has come: schedules, retries, and attempts of which nobody knows the outcome. One mechanism: a
//! row with a due time, taken by one worker under a lease.

use std::sync::Arc;
use std::time::Duration;

use domain::QueuedMessage;
use store::messages::{Due, Transition, Work, next_due, take_due};
use tokio_util::sync::CancellationToken;

use crate::send::{Job, Sender, reconcile};

/// Messages that are taken at once: one call's worth.
const MOST: i64 = 50;
/// The longest wait for the next due message; another process may schedule one meanwhile.
const IDLE: Duration = Duration::from_millis(500);
/// The wait after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Takes what is due until shutdown; what it has taken then, it finishes.
pub(crate) async fn run(sender: Arc<Sender>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let wait = match once(&sender).await {
            Ok(wait) => wait,
            Err(fault) => {
                tracing::debug!(%fault, "due messages could not be taken");
                AFTER_FAILURE
            }
        };
        if !wait.is_zero() {
            shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }
}

/// Takes one batch and sees it through; answers how long to wait for the next.
async fn once(sender: &Sender) -> Result<Duration, store::Error> {
    let begun = sender.begin();
    let batch = take_due(sender.store(), MOST, sender.lease()).await?;
    if batch.is_empty() {
        let next = next_due(sender.store()).await?;
        return Ok(next.unwrap_or(IDLE).clamp(Duration::from_millis(20), IDLE));
    }
    let mut jobs = Vec::new();
    let mut transitions = Vec::new();
    let mut questions = Vec::new();
    for due in batch {
        match &due.work {
            Work::Reconcile { look_ups } => questions.push((*look_ups, due)),
            Work::Send { .. } => match job(&due) {
                Ok(job) => jobs.push(job),
                Err(transition) => transitions.push(*transition),
            },
        }
    }
    let (sent, found) = tokio::join!(sender.deliver(jobs, begun), reconcile::ask(sender, questions));
    transitions.extend(sent);
    transitions.extend(found);
    sender.record(&transitions).await;
    Ok(Duration::ZERO)
}

/// What is to be sent; a message whose content cannot be read any more has failed.
fn job(due: &Due) -> Result<Job, Box<Transition>> {
    let Work::Send { content, left_out } = &due.work else {
        return Err(Box::new(reconcile::lost(due, "not_sendable", "There is nothing to send.")));
    };
    let Some(content) = content else {
        return Err(Box::new(reconcile::lost(due, "content_expired", "The message's content has aged out.")));
    };
    match QueuedMessage::decode(content) {
        Ok(queued) => Ok(Job {
            id: due.id,
            tenant: due.tenant,
            attempt: due.attempt,
            since: due.since,
            sandbox: queued.sandbox,
            message: queued.message.without(|key| left_out.contains(key)),
        }),
        Err(fault) => Err(Box::new(reconcile::lost(due, "content_unreadable", &fault.to_string()))),
    }
}

//! Messages whose time has come: schedules, retries, and those for which there was no room when they arrived.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Outcome, QueuedMessage, Reason, Status, TenantId};
use jiff::Timestamp;
use store::messages::{DueSend, Kind, Transition, Unbegun, Waiting, Wanted, take_sends, waiting};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::{Account, Known};
use super::record::Settled;
use super::{Claim, Job, Sender, held_back};

/// Tenants that are looked at; the others have their turn when these have nothing due.
pub(super) const TENANTS: i64 = 10_000;
/// The wait after the database failed.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Messages of one tenant, and bytes of all, that are taken at once.
const MOST: usize = 200;
const BYTES: usize = 16 << 20;
/// The longest wait for the next due message; another process may schedule one meanwhile.
const IDLE: Duration = Duration::from_millis(500);
/// The shortest wait, when something is due for which there is no room; and how much longer it is when none is made.
const NO_ROOM: Duration = Duration::from_millis(50);
const STILL_NONE: Duration = Duration::from_millis(200);

/// How long to wait before looking for due messages again. Looking may use a fifth of the time at most.
pub(super) fn pause(started: Instant, waiting: &[Waiting]) -> Duration {
    let next = waiting.iter().map(|next| next.wait).min().unwrap_or(IDLE);
    next.clamp(NO_ROOM, IDLE).max(started.elapsed() * 4)
}

/// Takes what is due until shutdown.
pub(crate) async fn run(sender: Arc<Sender>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match once(&sender).await {
            Ok(None) => {}
            Ok(Some(wait)) => {
                let waiting = async {
                    tokio::time::sleep(wait).await;
                    if wait == NO_ROOM {
                        sender.desk.freed(STILL_NONE).await;
                    }
                };
                shutdown.run_until_cancelled(waiting).await;
            }
            Err(fault) => {
                tracing::debug!(%fault, "due messages could not be taken");
                shutdown.run_until_cancelled(tokio::time::sleep(AFTER_FAILURE)).await;
            }
        }
    }
}

/// What is to be done with due messages of a tenant.
enum Turn {
    Send(Arc<Account>),
    /// They cannot be sent for now; those whose time is over fail.
    GiveUp(Reason),
}

/// Takes one batch, and hands it over; answers how long to wait for the next, if there was nothing to take.
async fn once(sender: &Arc<Sender>) -> Result<Option<Duration>, store::Error> {
    let started = Instant::now();
    let waiting = waiting(&sender.store, Kind::Sends, TENANTS).await?;
    let due: Vec<&Waiting> = waiting.iter().filter(|next| next.wait.is_zero()).collect();
    let accounts = sender.accounts.of(due.iter().map(|next| next.tenant)).await?;
    let (mut wanted, mut turns) = (Vec::new(), HashMap::new());
    for next in due {
        if let Some((most, turn)) = accounts.get(&next.tenant).and_then(|account| turn(sender, next, account))
        {
            let account = match &turn {
                Turn::Send(account) => Some(account.digest),
                Turn::GiveUp(_) => None,
            };
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            wanted.push(Wanted { tenant: next.tenant, most, account });
            turns.insert(next.tenant, turn);
        }
    }
    let bytes = BYTES.min(sender.desk.bytes());
    if wanted.is_empty() || bytes == 0 {
        return Ok(Some(pause(started, &waiting)));
    }
    let until = sender.begin();
    let taken = take_sends(&sender.store, &wanted, bytes, sender.lease()).await?;
    if taken.is_empty() {
        // Others were faster.
        return Ok(Some(NO_ROOM));
    }
    take_on(sender, taken, &turns, until);
    Ok(None)
}

/// How many messages to take of a tenant, if any.
fn turn(sender: &Sender, next: &Waiting, account: &Known) -> Option<(usize, Turn)> {
    let over = !sender.retry.covers(next.since, Timestamp::now());
    match account {
        Ok(account) => match sender.desk.room(next.tenant, account) {
            0 => {
                let trouble = sender.desk.trouble(next.tenant).filter(|_| over)?;
                Some((MOST, Turn::GiveUp(held_back(&trouble))))
            }
            room => Some((room.min(MOST), Turn::Send(Arc::clone(account)))),
        },
        Err(reason) if over => Some((MOST, Turn::GiveUp(reason.clone()))),
        Err(_) => None,
    }
}

fn take_on(sender: &Arc<Sender>, taken: Vec<DueSend>, turns: &HashMap<TenantId, Turn>, until: Instant) {
    let (mut jobs, mut settled) = (Vec::new(), Vec::new());
    for mut due in taken {
        let size = due.content.as_ref().map_or(0, Bytes::len);
        match (turns.get(&due.tenant), read(&mut due)) {
            (Some(Turn::Send(account)), Ok(queued)) => {
                let place = sender.desk.take(due.tenant, queued.message.distinct_recipients(), size);
                let claim = Claim {
                    attempt: due.attempt,
                    tries: due.tries,
                    vanished: due.vanished,
                    since: due.since,
                    until,
                };
                jobs.push(Job::new(queued, Arc::clone(account), &claim, place));
            }
            (Some(Turn::Send(_)), Err(reason)) => {
                settled.push(Settled::attempt(failed(&due, Outcome::Refused(reason)), None));
            }
            (Some(Turn::GiveUp(reason)), _) if !sender.retry.covers(due.since, Timestamp::now()) => {
                settled.push(Settled::attempt(failed(&due, Outcome::NotSent(reason.clone())), None));
            }
            _ => {
                let unbegun = Unbegun { id: due.id, tenant: due.tenant, attempt: due.attempt, reason: None };
                settled.push(Settled::unbegun(unbegun, None));
            }
        }
    }
    sender.settle(settled);
    sender.hand_over(jobs);
}

/// The message as it is to be sent; one whose content cannot be read any more has failed.
fn read(due: &mut DueSend) -> Result<QueuedMessage, Reason> {
    let Some(content) = due.content.take() else {
        return Err(Reason::new("content_expired", "The message's content has aged out."));
    };
    let mut queued = QueuedMessage::decode(&content)
        .map_err(|fault| Reason::new("content_unreadable", fault.to_string()))?;
    queued.message = queued.message.without(|key| due.left_out.contains(key));
    Ok(queued)
}

fn failed(due: &DueSend, outcome: Outcome) -> Transition {
    Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome,
        to: Status::Failed,
        wait: None,
        look_ups: 0,
    }
}

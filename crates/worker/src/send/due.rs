//! Messages whose time has come: schedules, retries, and those for which there was no room when they arrived.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::retry::earlier;
use domain::{Outcome, QueuedMessage, Reason, Status, TenantId};
use jiff::Timestamp;
use service::tasks::describe;
use store::messages::{DueSend, Kind, Transition, Waiting, Wanted, give_up, take_sends, waiting};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Account;
use super::deadline::Deadline;
use super::record::Settled;
use super::{Claim, Job, Sender};

/// Tenants that are looked at; the others have their turn when these have nothing due.
pub(super) const TENANTS: i64 = 10_000;
/// The wait after the database failed.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Messages, and bytes of content, that are taken at once, of all tenants together.
const MOST: usize = 500;
const BYTES: usize = 16 << 20;
/// The longest wait for the next due message; another process may schedule one meanwhile.
const IDLE: Duration = Duration::from_millis(500);
/// The shortest wait, when something is due for which there is no room; and how much longer it is when none is made.
const NO_ROOM: Duration = Duration::from_millis(50);
const STILL_NONE: Duration = Duration::from_millis(200);

/// Statements that take too long, or wait too long for a lock, before that is taken for everybody's trouble: enough to find
/// one tenant among [`MOST`], and its neighbour.
const MOST_FAILED: u32 = 12;

/// Nothing is given up sooner: a pause of its account is no refusal, nor is what was known of it a moment ago. By then the
/// longest pause has ended, and the account was looked at anew.
const LEAST_WINDOW: Duration = Duration::from_secs(12);

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
                if (!fault.is_transient() || fault.is_of_statement())
                    && let Some(left_out) = sender.rations.none_due.take()
                {
                    tracing::error!(fault = describe(&fault), left_out, "due messages could not be taken");
                }
                shutdown.run_until_cancelled(tokio::time::sleep(AFTER_FAILURE)).await;
            }
        }
    }
}

/// Takes one batch, and hands it over; answers how long to wait for the next, if there was nothing to take.
async fn once(sender: &Arc<Sender>) -> Result<Option<Duration>, store::Error> {
    let turn = sender.liveness.turn("due");
    let started = Instant::now();
    let waiting = waiting(&sender.store, Kind::Sends, TENANTS).await?;
    let due: Vec<&Waiting> = waiting.iter().filter(|next| next.wait.is_zero()).collect();
    let accounts = sender.accounts.of(due.iter().map(|next| next.tenant)).await?;
    let mut wanted = Vec::new();
    for next in due {
        turn.renew();
        match accounts.get(&next.tenant) {
            Some(Ok(account)) => match sender.desk.room(next.tenant, account) {
                0 => give_up_late(sender, next, sender.desk.trouble(next.tenant)).await?,
                room => wanted.push((room, next.tenant, Arc::clone(account))),
            },
            Some(Err(reason)) => give_up_late(sender, next, Some(reason.clone())).await?,
            None => {}
        }
    }
    if wanted.is_empty() {
        return Ok(Some(pause(started, &waiting)));
    }
    // Those who have waited longest are in front; each gets as much as the others, or as it has room for.
    wanted.truncate(MOST);
    let share = MOST / wanted.len();
    let wanted: Vec<(Wanted, Arc<Account>)> = wanted
        .into_iter()
        .map(|(room, tenant, account)| {
            let most = u32::try_from(room.min(share)).unwrap_or(u32::MAX);
            (Wanted { tenant, most, account: account.digest }, account)
        })
        .collect();
    drop(turn);
    let taken = take(sender, &wanted).await?;
    // If nothing was, others were faster.
    Ok((!taken).then_some(NO_ROOM))
}

/// Fails those of a tenant's messages whose time is over, where the account takes none; if it does, they have their turn.
async fn give_up_late(sender: &Sender, next: &Waiting, trouble: Option<Reason>) -> Result<(), store::Error> {
    let before = earlier(Timestamp::now(), sender.retry.window.max(LEAST_WINDOW));
    if let Some(reason) = trouble.filter(|_| next.since < before) {
        let failed = give_up(&sender.store, next.tenant, before, &reason).await?;
        tracing::info!(tenant = %next.tenant, failed, code = reason.code, "given up after the retry window");
    }
    Ok(())
}

/// Takes what is wanted, and hands it over; answers whether there was anything. Where the database will not have it, or it
/// takes too long, looks for the tenant that is the cause, so that it stands in nobody else's way.
async fn take(sender: &Arc<Sender>, wanted: &[(Wanted, Arc<Account>)]) -> Result<bool, store::Error> {
    let mut any = false;
    let mut failed = 0;
    let mut open = vec![wanted];
    while let Some(part) = open.pop() {
        let _turn = sender.liveness.turn("due");
        let deadline = sender.begin();
        let asked: Vec<Wanted> = part.iter().map(|(wanted, _)| *wanted).collect();
        let bytes = BYTES.min(sender.desk.bytes());
        let fault = match take_sends(&sender.store, &asked, bytes, sender.lease()).await {
            Ok(taken) => {
                any |= !taken.is_empty();
                let accounts = part.iter().map(|(wanted, account)| (wanted.tenant, account));
                take_on(sender, taken, &accounts.collect(), deadline);
                continue;
            }
            Err(fault) => fault,
        };
        failed += 1;
        // What goes on failing everywhere is no tenant's fault.
        let passes = fault.is_transient() && (!fault.is_of_statement() || failed > MOST_FAILED);
        match part {
            _ if passes => return Err(fault),
            [_, _, ..] => open.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
            [(one, _)] if wanted.len() > 1 => {
                if let Some(left_out) = sender.rations.due.take() {
                    let (fault, tenant) = (describe(&fault), one.tenant);
                    tracing::error!(fault, %tenant, left_out, "due messages of a tenant could not be taken");
                }
            }
            _ => return Err(fault),
        }
    }
    Ok(any)
}

fn take_on(
    sender: &Arc<Sender>,
    taken: Vec<DueSend>,
    accounts: &HashMap<TenantId, &Arc<Account>>,
    deadline: Deadline,
) {
    let (mut jobs, mut settled) = (Vec::new(), Vec::new());
    for mut due in taken {
        let size = due.content.as_ref().map_or(0, Bytes::len);
        let Some(&account) = accounts.get(&due.tenant) else { continue };
        match read(&mut due) {
            Ok(queued) => {
                let place = sender.desk.take(due.tenant, queued.message.distinct_recipients(), size);
                let claim = Claim {
                    attempt: due.attempt,
                    tries: due.tries,
                    vanished: due.vanished,
                    since: due.since,
                    deadline,
                };
                jobs.push(Job::new(queued, Arc::clone(account), &claim, place));
            }
            Err(reason) => settled.push(Settled::attempt(failed(&due, reason), None)),
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

fn failed(due: &DueSend, reason: Reason) -> Transition {
    Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome: Outcome::Refused(reason),
        to: Status::Failed,
        wait: None,
        look_ups: 0,
    }
}

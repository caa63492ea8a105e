//! Messages whose time has come: schedules, retries, and those for which there was no room when they arrived.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::retry::earlier;
use domain::{Outcome, QueuedMessage, Reason, Status, TenantId};
use jiff::Timestamp;
use store::messages::{DueSend, Kind, Transition, Waiting, Wanted, give_up, take_sends, waiting};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Account;
use super::culprit::{Work, around};
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

/// The longest pause after a look that took long.
const LONGEST: Duration = Duration::from_secs(5);

/// Nothing is given up sooner: a pause of its account is no refusal, nor is what was known of it a moment ago. By then the
/// longest pause has ended, and the account was looked at anew.
const LEAST_WINDOW: Duration = Duration::from_secs(12);

/// How long to wait before looking for due messages again, when looking took so long. Looking may use a fifth of the time,
/// but where the database was away for seconds, or is very slow, nobody waits four times as long for that.
pub(super) fn pause(took: Duration, waiting: &[Waiting]) -> Duration {
    let next = waiting.iter().map(|next| next.wait).min().unwrap_or(IDLE);
    next.clamp(NO_ROOM, IDLE).max((took * 4).min(LONGEST))
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
                sender.culprits.tell_of_all(Work::Take, &fault);
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
    let culprits = sender.culprits.of(Work::Take);
    let due = waiting.iter().filter(|next| next.wait.is_zero() && !culprits.contains(&next.tenant));
    let due: Vec<&Waiting> = due.collect();
    let accounts = sender.accounts.of(due.iter().map(|next| next.tenant)).await?;
    let (mut wanted, mut held) = (Vec::new(), Vec::new());
    for next in due {
        match accounts.get(&next.tenant) {
            Some(Ok(account)) => match sender.desk.room(next.tenant, account) {
                0 => held.push((next, sender.desk.trouble(next.tenant))),
                room => wanted.push((room, next.tenant, Arc::clone(account))),
            },
            Some(Err(reason)) => held.push((next, Some(reason.clone()))),
            None => {}
        }
    }
    // Those who have waited longest are in front; each gets as much as the others, or as it has room for.
    wanted.truncate(MOST);
    let share = MOST / wanted.len().max(1);
    let wanted: Vec<(Wanted, Arc<Account>)> = wanted
        .into_iter()
        .map(|(room, tenant, account)| {
            let most = u32::try_from(room.min(share)).unwrap_or(u32::MAX);
            (Wanted { tenant, most, account: account.digest }, account)
        })
        .collect();
    drop(turn);
    let taken = take(sender, &wanted).await;
    give_up_late(sender, held).await?;
    if wanted.is_empty() {
        return Ok(Some(pause(started.elapsed(), &waiting)));
    }
    // If nothing was, others were faster.
    Ok((!taken?).then_some(NO_ROOM))
}

/// Fails those of these tenants' messages whose time is over while the account is in trouble; where it takes them, they have
/// their turn.
async fn give_up_late(sender: &Sender, held: Vec<(&Waiting, Option<Reason>)>) -> Result<(), store::Error> {
    let before = earlier(Timestamp::now(), sender.retry.window.max(LEAST_WINDOW));
    let culprits = sender.culprits.of(Work::GiveUp);
    for (next, trouble) in held {
        let is_late = next.since < before && !culprits.contains(&next.tenant);
        let Some(reason) = trouble.filter(|_| is_late) else { continue };
        let (_turn, began) = (sender.liveness.turn("due"), Instant::now());
        match give_up(&sender.store, next.tenant, before, &reason).await {
            Ok(failed) => {
                tracing::info!(tenant = %next.tenant, failed, code = reason.code, "given up after the retry window");
            }
            Err(fault) if fault.is_transient() && !fault.is_of_statement() => return Err(fault),
            // The others are late already, and what is due is not to wait for one such after the other.
            Err(fault) => {
                sender.culprits.add(Work::GiveUp, next.tenant, &fault, began.elapsed());
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Takes what is wanted, and hands it over; answers whether there was anything.
async fn take(sender: &Arc<Sender>, wanted: &[(Wanted, Arc<Account>)]) -> Result<bool, store::Error> {
    let take = async |part: Range<usize>| {
        let part = wanted.get(part).unwrap_or_default();
        let _turn = sender.liveness.turn("due");
        let deadline = sender.begin();
        let asked: Vec<Wanted> = part.iter().map(|(wanted, _)| *wanted).collect();
        let bytes = BYTES.min(sender.desk.bytes());
        let taken = take_sends(&sender.store, &asked, bytes, sender.lease()).await?;
        let any = !taken.is_empty();
        let accounts = part.iter().map(|(wanted, account)| (wanted.tenant, account));
        take_on(sender, taken, &accounts.collect(), deadline);
        Ok(any)
    };
    let done = around(wanted.len(), take).await?;
    for (place, fault) in &done.culprits {
        sender.culprits.add(Work::Take, wanted[*place].0.tenant, fault, done.took);
    }
    Ok(done.taken.contains(&true))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_takes_a_fifth_of_the_time_but_a_database_that_was_away_is_not_waited_for() {
        assert_eq!(pause(Duration::ZERO, &[]), IDLE);
        assert_eq!(pause(Duration::from_millis(300), &[]), Duration::from_millis(1200));
        assert_eq!(pause(Duration::from_secs(25), &[]), LONGEST);
    }
}

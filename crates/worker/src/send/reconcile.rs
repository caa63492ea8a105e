//! Finding out what became of an attempt of which nobody knows the outcome.
//!
//! Mailjet is asked by our id, repeatedly and with growing waits: its index lags by a time that it does not document, so
//! one answer of "never heard of it" proves nothing. Only after the last of them is the message sent again. An event
//! that carries our id ends the question earlier; it settles the message by itself.

use std::time::Duration;

use domain::retry::later;
use domain::{Outcome, Reason, Status};
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use mailjet::LookUp;
use store::messages::{Due, Transition};
use store::providers;
use tokio::time::Instant;

use super::{Account, Sender};

/// Questions in progress at once; Mailjet's look-up takes far fewer calls than its Send API.
const AT_ONCE: usize = 4;

/// Asks for each message, and answers what that leads to. The number with each is how often it was asked for before.
/// A question that cannot begin before `until` is left: its lease runs out, and it is taken again.
pub(crate) async fn ask(sender: &Sender, questions: Vec<(u32, Due)>, until: Instant) -> Vec<Transition> {
    let asking = questions.into_iter().map(|(look_ups, due)| async move {
        if Instant::now() >= until {
            return None;
        }
        let answer = answer(sender, &due).await;
        Some(conclude(sender, &due, look_ups, answer, Timestamp::now()))
    });
    stream::iter(asking).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

async fn answer(sender: &Sender, due: &Due) -> LookUp {
    let account = match providers::get(&sender.store, &sender.keyring, due.tenant).await {
        Ok(provider) => super::account(provider.map(Ok)),
        Err(fault) => Err(Reason::new("database_unavailable", fault.to_string())),
    };
    match account {
        Ok(Account { credentials, .. }) => sender.client.look_up(&credentials, due.id).await,
        Err(reason) => LookUp::Unavailable(reason),
    }
}

fn conclude(sender: &Sender, due: &Due, look_ups: u32, answer: LookUp, now: Timestamp) -> Transition {
    let in_window = |at: Timestamp| sender.retry.covers(due.since, at);
    let transition = |outcome, to, wait, look_ups| Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome,
        to,
        wait,
        look_ups,
    };
    match answer {
        LookUp::Found(rows) => transition(Outcome::Accepted(rows), Status::Sent, None, look_ups),
        LookUp::NotHeard => {
            let done = look_ups + 1;
            let words = format!("Mailjet has not heard of the message, asked {done} times.");
            let reason = Reason::new("not_heard_of", words);
            match sender.reconcile.next(done) {
                Some(wait) => transition(Outcome::Uncertain(reason), Status::Sending, Some(wait), done),
                None if in_window(now) => {
                    transition(Outcome::NotSent(reason), Status::Queued, Some(Duration::ZERO), 0)
                }
                None => transition(Outcome::NotSent(reason), Status::Failed, None, done),
            }
        }
        LookUp::Unavailable(reason) => {
            if in_window(later(now, sender.reconcile.after)) {
                let wait = sender.reconcile.after.mul_f64(1.0 + fastrand::f64());
                return transition(Outcome::Uncertain(reason), Status::Sending, Some(wait), look_ups);
            }
            let words = format!("It was not found out whether the message was sent. {}", reason.message);
            transition(
                Outcome::Refused(Reason::new("outcome_unknown", words)),
                Status::Failed,
                None,
                look_ups,
            )
        }
    }
}

/// A message that cannot be sent for want of its content.
pub(crate) fn lost(due: &Due, code: &str, words: &str) -> Transition {
    Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome: Outcome::Refused(Reason::new(code, words)),
        to: Status::Failed,
        wait: None,
        look_ups: 0,
    }
}

//! Finding out what became of an attempt of which nobody knows the outcome.
//!
//! Mailjet is asked by our id, repeatedly and with growing waits: its index lags by a time that it does not document, so
//! one answer of "never heard of it" proves nothing. Only after the last of them is the message sent again. An event
//! that carries our id ends the question earlier; it settles the message by itself.

use domain::{Outcome, Reason, Status};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use mailjet::LookUp;
use store::messages::{Due, Transition};
use store::providers;

use super::{Account, Sender};

/// Questions in progress at once; Mailjet's look-up takes far fewer calls than its Send API.
const AT_ONCE: usize = 4;

/// Asks for each message, and answers what that leads to. The number with each is how often it was asked for before.
pub(crate) async fn ask(sender: &Sender, questions: Vec<(u32, Due)>) -> Vec<Transition> {
    let asking = questions.into_iter().map(|(look_ups, due)| async move {
        let answer = answer(sender, &due).await;
        conclude(sender, &due, look_ups, answer, Timestamp::now())
    });
    let chunks: Vec<Vec<_>> = stream::iter(asking).chunks(AT_ONCE).collect().await;
    let mut transitions = Vec::new();
    for chunk in chunks {
        transitions.extend(join_all(chunk).await);
    }
    transitions
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
    let in_window = |at: Timestamp| at <= domain::retry::later(due.since, sender.retry.window);
    let transition = |outcome, to, due_at, look_ups| Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome,
        to,
        due_at,
        look_ups,
    };
    match answer {
        LookUp::Found(rows) => transition(Outcome::Accepted(rows), Status::Sent, None, look_ups),
        LookUp::NotHeard => {
            let done = look_ups + 1;
            let words = format!("Mailjet has not heard of the message, asked {done} times.");
            let reason = Reason::new("not_heard_of", words);
            match sender.reconcile.next(now, done) {
                Some(at) => transition(Outcome::Uncertain(reason), Status::Sending, Some(at), done),
                None if in_window(now) => transition(Outcome::NotSent(reason), Status::Queued, Some(now), 0),
                None => transition(Outcome::NotSent(reason), Status::Failed, None, done),
            }
        }
        LookUp::Unavailable(reason) => {
            let again = sender.retry.delay(due.attempt.max(look_ups + 3), fastrand::f64());
            let at = domain::retry::later(now, again.max(sender.reconcile.after));
            if in_window(at) {
                return transition(Outcome::Uncertain(reason), Status::Sending, Some(at), look_ups);
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
        due_at: None,
        look_ups: 0,
    }
}

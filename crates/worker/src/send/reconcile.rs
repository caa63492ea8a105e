//! Finding out what became of an attempt of which nobody knows the outcome.
//!
//! Mailjet is asked by our id, repeatedly and with growing waits: its index lags by a time that it does not document, so
//! one answer of "never heard of it" proves nothing. Only after the last of them is the message sent again. An event
//! that carries our id ends the question earlier; it settles the message by itself.

use std::time::Duration;

use broker::sabotage::{self, Sabotage};
use domain::retry::later;
use domain::{Outcome, Reason, Status};
use jiff::Timestamp;
use mailjet::LookUp;
use store::messages::{Question, Transition};

use super::Sender;
use super::accounts::Known;

/// Asks for a message, and answers what that leads to.
pub(super) async fn ask(sender: &Sender, question: &Question, account: &Known) -> Transition {
    let answer = match account {
        Ok(_) if sabotage::is(Sabotage::ResendWithoutLookUp) => return forget(question),
        Ok(account) if question.account.as_deref().is_none_or(|made| made == account.digest.as_bytes()) => {
            sender.client.look_up(&account.credentials, question.id).await
        }
        Ok(_) => LookUp::Unavailable(Reason::new("account_changed", ACCOUNT_CHANGED)),
        Err(reason) => LookUp::Unavailable(reason.clone()),
    };
    conclude(sender, question, answer, Timestamp::now())
}

/// Another account would say truthfully that it has never heard of the message, and that would prove nothing.
const ACCOUNT_CHANGED: &str = "The tenant's Mailjet account was changed while the message was on its way, and the \
                               present one cannot tell what became of it.";

/// What must never be done: it is as though nobody had tried.
fn forget(due: &Question) -> Transition {
    Transition {
        id: due.id,
        tenant: due.tenant,
        attempt: due.attempt,
        outcome: Outcome::NotSent(Reason::new("not_heard_of", "Mailjet was not asked.")),
        to: Status::Queued,
        wait: Some(Duration::ZERO),
        look_ups: 0,
    }
}

fn conclude(sender: &Sender, due: &Question, answer: LookUp, now: Timestamp) -> Transition {
    let look_ups = due.look_ups;
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

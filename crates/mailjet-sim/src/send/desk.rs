//! The desk where messages are accepted or refused, one by one.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{call::Call, check, refusal::Refusal};
use crate::{
    events::post::PostOffice,
    ledger::{Acceptance, Ledger, draft::Draft, message::Message},
    refusals::{Refusals, Refused},
    senders::Senders,
    stats::Stats,
};

/// What became of one message of a call.
pub(super) type Outcome = Result<Arc<Message>, Vec<Refusal>>;

/// What acceptance needs.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Where accepted messages are kept.
    pub(crate) ledger: Arc<Ledger>,
    /// Where refused messages are noted.
    pub(crate) refusals: Arc<Refusals>,
    /// Who may send from which address.
    pub(crate) senders: Arc<Senders>,
    /// Who plans the events.
    pub(crate) post: Arc<PostOffice>,
    /// Who counts.
    pub(crate) stats: Arc<Stats>,
}

impl Desk {
    /// Accepts what can be accepted of a call, in its order. No message waits for, or depends on, another. The one at
    /// `spoilt`, if any, is refused whatever it holds.
    pub(super) fn handle(&self, call: Call, spoilt: Option<usize>, under: Acceptance<'_>) -> Vec<Outcome> {
        let numbered = call.messages.into_iter().enumerate();
        numbered.map(|(at, message)| self.one(&message, spoilt == Some(at), under)).collect()
    }

    /// Notes that a call was refused as a whole for something that its messages hold.
    pub(super) fn refuse(&self, call: &Call, refusal: &Refusal, under: Acceptance<'_>) {
        let alone = call.messages.len() == 1;
        for message in &call.messages {
            self.refusals.note(Refused::new(message, under, alone, std::slice::from_ref(refusal)));
        }
    }

    fn one(&self, message: &Value, spoilt: bool, under: Acceptance<'_>) -> Outcome {
        let checked = if spoilt { Err(vec![spoil(message)]) } else { self.checked(message, under.api_key) };
        let outcome = checked.map(|draft| self.ledger.accept(draft, under));
        match &outcome {
            Err(refusals) => {
                self.stats.refused_messages.add(1);
                self.refusals.note(Refused::new(message, under, true, refusals));
            }
            Ok(_) if under.sandbox => self.stats.sandbox_messages.add(1),
            Ok(message) => {
                self.stats.accepted_messages.add(1);
                self.stats.accepted_recipients.add(message.recipients.len());
                self.post.schedule(message);
            }
        }
        outcome
    }

    fn checked(&self, message: &Value, api_key: &str) -> Result<Draft, Vec<Refusal>> {
        let Value::Object(properties) = message else {
            return Err(vec![Refusal::mismatch("Messages", "message")]);
        };
        let mut refusals = check::message(properties);
        let from = properties.get("From").and_then(|from| from.get("Email")?.as_str()).unwrap_or_default();
        if refusals.is_empty() && !from.is_empty() && !self.senders.may_send_from(api_key, from) {
            let words = format!("\"{from}\" is not an authorized sender email address for your account.");
            refusals.push(Refusal::new("send-0008", words).with_status(403).about("From"));
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        // The check left nothing that a draft cannot hold; should the two ever disagree, the caller hears it.
        Draft::deserialize(message).map_err(|error| vec![Refusal::new("mj-0004", error.to_string())])
    }
}

/// The refusal of a message that nothing is wrong with, as Mailjet words that of a bad address.
fn spoil(message: &Value) -> Refusal {
    let email = message.pointer("/To/0/Email").and_then(Value::as_str).unwrap_or_default();
    Refusal::new("mj-0013", format!("\"{email}\" is an invalid email address.")).about("To[0].Email")
}

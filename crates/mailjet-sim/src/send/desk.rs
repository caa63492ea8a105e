//! The desk where messages are accepted or refused, one by one.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{call::Call, check, refusal::Refusal};
use crate::{
    events::post::PostOffice,
    ledger::{Acceptance, Ledger, draft::Draft, message::Message},
    senders::Senders,
    stats::Stats,
};

/// What became of one message of a call.
pub(super) type Outcome = Result<Arc<Message>, Vec<Refusal>>;

/// A call as it came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Which call it is, from 1.
    pub(super) number: u64,
    /// When its last byte was here, before any latency.
    pub(super) at: Timestamp,
}

/// What acceptance needs.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Where accepted messages are kept.
    pub(crate) ledger: Arc<Ledger>,
    /// Who may send from which address.
    pub(crate) senders: Arc<Senders>,
    /// Who plans the events.
    pub(crate) post: Arc<PostOffice>,
    /// Who counts.
    pub(crate) stats: Arc<Stats>,
}

impl Desk {
    /// Accepts what can be accepted of a call, in its order. No message waits for, or depends on, another.
    pub(super) fn handle(&self, call: Call, api_key: &str, arrival: Arrival) -> Vec<Outcome> {
        let under =
            Acceptance { api_key, sandbox: call.sandbox, call: arrival.number, received_at: arrival.at };
        call.messages.into_iter().map(|message| self.one(message, under)).collect()
    }

    fn one(&self, message: Value, under: Acceptance<'_>) -> Outcome {
        let outcome = self.checked(message, under.api_key).map(|draft| self.ledger.accept(draft, under));
        match &outcome {
            Err(_) => self.stats.refused_messages.add(1),
            Ok(_) if under.sandbox => self.stats.sandbox_messages.add(1),
            Ok(message) => {
                self.stats.accepted_messages.add(1);
                self.stats.accepted_recipients.add(message.recipients.len());
                self.post.schedule(message);
            }
        }
        outcome
    }

    fn checked(&self, message: Value, api_key: &str) -> Result<Draft, Vec<Refusal>> {
        let Value::Object(properties) = &message else {
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
        serde_json::from_value(message).map_err(|error| vec![Refusal::new("mj-0004", error.to_string())])
    }
}

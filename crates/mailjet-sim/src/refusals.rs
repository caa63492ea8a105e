//! What was refused for something that it holds: the other half of the ledger. Bounded; the oldest leave first.

use std::{collections::VecDeque, sync::Mutex};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{ledger::Acceptance, send::refusal::Refusal, util::lock};

/// Refused messages that are kept: of those refused for themselves as many, and of those refused with their call.
const MOST: usize = 100_000;

/// A message that was refused, by itself or with its call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    custom_id: String,
    api_key: String,
    call: u64,
    at: Timestamp,
    /// The refusal is its own: it was answered by itself, or had the call to itself.
    own: bool,
    /// As Mailjet's answer lists them.
    errors: Vec<Value>,
}

impl Refused {
    /// Notes why a message is refused that came in under these circumstances.
    pub(crate) fn new(message: &Value, under: Acceptance<'_>, own: bool, why: &[Refusal]) -> Self {
        Self {
            custom_id: message.get("CustomID").and_then(Value::as_str).unwrap_or_default().to_owned(),
            api_key: under.api_key.to_owned(),
            call: under.call,
            at: Timestamp::now(),
            own,
            errors: why.iter().map(Refusal::to_json).collect(),
        }
    }
}

/// The last refused messages. Those that were refused with their call are many more, and must not drive the others out.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<[VecDeque<Refused>; 2]>);

impl Refusals {
    /// Keeps one more.
    pub(crate) fn note(&self, refused: Refused) {
        let list = &mut lock(&self.0)[usize::from(refused.own)];
        if list.len() >= MOST {
            list.pop_front();
        }
        list.push_back(refused);
    }

    /// Those with this `CustomID`, or all, oldest first; if so, only those that were refused for themselves.
    pub(crate) fn of(&self, custom_id: Option<&str>, own: bool) -> Vec<Refused> {
        let lists = lock(&self.0);
        let lists = if own { &lists[1..] } else { &lists[..] };
        let all = lists.iter().flatten();
        let mut all: Vec<Refused> =
            all.filter(|one| custom_id.is_none_or(|id| id == one.custom_id)).cloned().collect();
        all.sort_by_key(|one| (one.at, one.call));
        all
    }

    /// Forgets them.
    pub(crate) fn clear(&self) {
        lock(&self.0).iter_mut().for_each(VecDeque::clear);
    }
}

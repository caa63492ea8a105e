//! Faults on demand: what goes wrong, how often, and for how long.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::util::lock;

/// Faults that may be known at one time; spent ones make room.
const MOST: usize = 1000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// A send is answered 429 and nothing is accepted.
    RateLimit,
    /// A send is answered 500 and nothing is accepted.
    ServerError,
    /// The connection of a send closes without an answer and nothing is accepted.
    DropBefore,
    /// A send is accepted and its connection closes without an answer.
    DropAfterAccept,
    /// A send is accepted and answered late.
    Delay,
    /// A send is accepted and answered with a truncated body.
    Garbage,
    /// A send is answered 401 and nothing is accepted.
    Unauthorized,
    /// An event is delivered twice at once, and once more later.
    EventsDuplicate,
    /// The events of a message are delivered last first.
    EventsReorder,
    /// Events wait until the fault is deleted.
    EventsHold,
    /// A look-up of messages is answered 500.
    LookupError,
    /// A look-up does not see messages younger than the delay.
    LookupLag,
}

/// A fault as it is ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    kind: FaultKind,
    /// How many times it strikes; absent or null means until it is deleted.
    #[serde(default)]
    count: Option<u64>,
    /// The chance that it strikes when it could, 0 to 1.
    #[serde(default = "always")]
    probability: f64,
    #[serde(default)]
    delay_ms: u64,
}

fn always() -> f64 {
    1.0
}

/// A fault as it stands.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fault {
    id: u64,
    #[serde(flatten)]
    order: Order,
    /// How many times it still strikes; null without a limit.
    remaining: Option<u64>,
    /// How many times it struck.
    struck: u64,
}

/// All faults, in the order they were made; the first of a kind that is not spent strikes.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    faults: Mutex<Vec<Fault>>,
    last: AtomicU64,
}

impl FaultBoard {
    /// Adds a fault and answers its id, or why it cannot be.
    pub(crate) fn add(&self, order: Order) -> Result<u64, &'static str> {
        if !(0.0..=1.0).contains(&order.probability) {
            return Err("probability must be between 0 and 1");
        }
        let mut faults = lock(&self.faults);
        if faults.len() >= MOST {
            faults.retain(|fault| fault.remaining != Some(0));
        }
        if faults.len() >= MOST {
            return Err("too many faults; delete some");
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        faults.push(Fault { id, remaining: order.count, order, struck: 0 });
        Ok(id)
    }

    /// Whether a fault of this kind strikes now, which uses it up by one; its delay, if so.
    pub(crate) fn strike(&self, kind: FaultKind) -> Option<Duration> {
        let mut faults = lock(&self.faults);
        let fault = faults.iter_mut().find(|fault| fault.order.kind == kind && fault.remaining != Some(0))?;
        if fastrand::f64() >= fault.order.probability {
            return None;
        }
        fault.remaining = fault.remaining.map(|left| left - 1);
        fault.struck += 1;
        Some(Duration::from_millis(fault.order.delay_ms))
    }

    /// Whether a fault of this kind is listed, spent or not.
    pub(crate) fn listed(&self, kind: FaultKind) -> bool {
        lock(&self.faults).iter().any(|fault| fault.order.kind == kind)
    }

    /// Every fault.
    pub(crate) fn all(&self) -> Vec<Fault> {
        lock(&self.faults).clone()
    }

    /// Deletes one fault, or all without an id; answers how many went.
    pub(crate) fn delete(&self, id: Option<u64>) -> usize {
        let mut faults = lock(&self.faults);
        let before = faults.len();
        faults.retain(|fault| id.is_some_and(|id| id != fault.id));
        before - faults.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Order {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_counted_fault_is_spent() {
        let board = FaultBoard::default();
        board.add(order(r#"{"kind":"delay","count":2,"delayMs":5}"#)).unwrap();
        assert_eq!(board.strike(FaultKind::Delay), Some(Duration::from_millis(5)));
        assert_eq!(board.strike(FaultKind::Garbage), None);
        assert!(board.strike(FaultKind::Delay).is_some());
        assert_eq!(board.strike(FaultKind::Delay), None);
        assert!(board.listed(FaultKind::Delay));
        assert_eq!(board.delete(None), 1);
    }

    #[test]
    fn probability_zero_never_strikes_and_two_is_refused() {
        let board = FaultBoard::default();
        let id = board.add(order(r#"{"kind":"rate_limit","probability":0}"#)).unwrap();
        assert_eq!(board.strike(FaultKind::RateLimit), None);
        assert!(board.add(order(r#"{"kind":"rate_limit","probability":2}"#)).is_err());
        assert_eq!(board.delete(Some(id + 1)), 0);
        assert_eq!(board.delete(Some(id)), 1);
    }
}

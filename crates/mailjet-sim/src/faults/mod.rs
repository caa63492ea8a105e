//! Faults on demand: what goes wrong, for whom, how often, and for how long.

mod kind;

use std::{sync::Mutex, time::Duration};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

pub(crate) use self::kind::FaultKind;
use crate::util::lock;

/// Faults that may be known at one time; spent ones make room.
const MOST: usize = 1000;

/// A fault as it is ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    kind: FaultKind,
    /// The API key of the only account that it strikes; absent or null means all of them.
    #[serde(default)]
    account: Option<String>,
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

impl Fault {
    fn is_for(&self, kind: FaultKind, account: &str) -> bool {
        self.order.kind == kind && self.order.account.as_ref().is_none_or(|only| only == account)
    }
}

/// All faults, in the order they were made. Of those of a kind that are for the account and not spent, the first has
/// its chance; if it does not strike, none does.
#[derive(Debug)]
pub(crate) struct FaultBoard(Mutex<Board>);

#[derive(Debug)]
struct Board {
    faults: Vec<Fault>,
    last: u64,
    /// Decides by chance; the same seed and the same order of calls make the same things go wrong.
    rng: Rng,
}

impl FaultBoard {
    /// A board without faults. Without a seed, chance is another each time.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let rng = seed.map_or_else(Rng::new, Rng::with_seed);
        Self(Mutex::new(Board { faults: Vec::new(), last: 0, rng }))
    }

    /// Adds a fault and answers its id, or why it cannot be.
    pub(crate) fn add(&self, order: Order) -> Result<u64, &'static str> {
        if !(0.0..=1.0).contains(&order.probability) {
            return Err("probability must be between 0 and 1");
        }
        let mut board = lock(&self.0);
        if board.faults.len() >= MOST {
            board.faults.retain(|fault| fault.remaining != Some(0));
        }
        if board.faults.len() >= MOST {
            return Err("too many faults; delete some");
        }
        board.last += 1;
        let id = board.last;
        board.faults.push(Fault { id, remaining: order.count, order, struck: 0 });
        Ok(id)
    }

    /// Whether a fault of this kind strikes this account now, which uses it up by one; its delay, if so. The account
    /// is named by its API key, and is empty where the call names none.
    pub(crate) fn strike(&self, kind: FaultKind, account: &str) -> Option<Duration> {
        self.strike_if(kind, account, |_| true)
    }

    /// The same for a fault that may do nothing: it strikes only where one of this delay `tells`, or else counts as none.
    /// That is asked under the lock of the board, so it must not come back to it.
    pub(crate) fn strike_if(
        &self,
        kind: FaultKind,
        account: &str,
        tells: impl FnOnce(Duration) -> bool,
    ) -> Option<Duration> {
        let board = &mut *lock(&self.0);
        let open = |fault: &&mut Fault| fault.is_for(kind, account) && fault.remaining != Some(0);
        let fault = board.faults.iter_mut().find(open)?;
        if board.rng.f64() >= fault.order.probability {
            return None;
        }
        let delay = Duration::from_millis(fault.order.delay_ms);
        if !tells(delay) {
            return None;
        }
        fault.remaining = fault.remaining.map(|left| left - 1);
        fault.struck += 1;
        Some(delay)
    }

    /// One of so many, by lot.
    pub(crate) fn draw(&self, among: usize) -> usize {
        if among == 0 { 0 } else { lock(&self.0).rng.usize(..among) }
    }

    /// Whether a fault of this kind is listed for this account, spent or not.
    pub(crate) fn listed(&self, kind: FaultKind, account: &str) -> bool {
        lock(&self.0).faults.iter().any(|fault| fault.is_for(kind, account))
    }

    /// Every fault.
    pub(crate) fn all(&self) -> Vec<Fault> {
        lock(&self.0).faults.clone()
    }

    /// Deletes one fault, or all without an id; answers how many went.
    pub(crate) fn delete(&self, id: Option<u64>) -> usize {
        let faults = &mut lock(&self.0).faults;
        let before = faults.len();
        faults.retain(|fault| id.is_some_and(|id| id != fault.id));
        before - faults.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> FaultBoard {
        FaultBoard::new(None)
    }

    fn order(text: &str) -> Order {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_counted_fault_is_spent() {
        let board = board();
        board.add(order(r#"{"kind":"delay","count":2,"delayMs":5}"#)).unwrap();
        assert_eq!(board.strike(FaultKind::Delay, "k"), Some(Duration::from_millis(5)));
        assert_eq!(board.strike(FaultKind::Garbage, "k"), None);
        assert!(board.strike(FaultKind::Delay, "").is_some());
        assert_eq!(board.strike(FaultKind::Delay, "k"), None);
        assert!(board.listed(FaultKind::Delay, "k"));
        assert_eq!(board.delete(None), 1);
    }

    #[test]
    fn probability_zero_never_strikes_and_two_is_refused() {
        let board = board();
        let id = board.add(order(r#"{"kind":"rate_limit","probability":0}"#)).unwrap();
        assert_eq!(board.strike(FaultKind::RateLimit, "k"), None);
        assert!(board.add(order(r#"{"kind":"rate_limit","probability":2}"#)).is_err());
        assert_eq!(board.delete(Some(id + 1)), 0);
        assert_eq!(board.delete(Some(id)), 1);
    }

    #[test]
    fn a_fault_of_one_account_leaves_the_others_to_later_faults() {
        let board = board();
        board.add(order(r#"{"kind":"delay","account":"a","delayMs":1}"#)).unwrap();
        assert_eq!(board.strike(FaultKind::Delay, "b"), None);
        assert_eq!(board.strike(FaultKind::Delay, ""), None);
        board.add(order(r#"{"kind":"delay","account":null,"delayMs":2}"#)).unwrap();
        let struck = ["a", "b"].map(|account| board.strike(FaultKind::Delay, account));
        assert_eq!(struck, [1, 2].map(|delay| Some(Duration::from_millis(delay))));
    }

    #[test]
    fn a_fault_that_would_do_nothing_is_not_counted() {
        let board = board();
        board.add(order(r#"{"kind":"lookup_lag","count":1,"delayMs":7}"#)).unwrap();
        assert_eq!(board.strike_if(FaultKind::LookupLag, "k", |_| false), None);
        assert_eq!(board.all()[0].struck, 0);
        let longer = |delay| delay > Duration::from_millis(6);
        assert!(board.strike_if(FaultKind::LookupLag, "k", longer).is_some());
        assert_eq!((board.all()[0].struck, board.all()[0].remaining), (1, Some(0)));
    }

    #[test]
    fn the_same_seed_has_the_same_luck() {
        let luck = |seed| {
            let board = FaultBoard::new(Some(seed));
            board.add(order(r#"{"kind":"delay","probability":0.5}"#)).unwrap();
            (0..64).map(|_| board.strike(FaultKind::Delay, "k").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(luck(7), luck(7));
        assert_ne!(luck(7), luck(8));
    }
}

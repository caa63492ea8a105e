//! What became of many messages: what Raven says of each, beside what the stand-in accepted and refused.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    raven::Raven,
    sim::Sim,
    tenant::Tenant,
    wait::{DEADLINE, PAUSE},
};

/// Statuses after which nothing follows but news from Mailjet.
const SETTLED: [&str; 9] = [
    "sent",
    "delivered",
    "bounced",
    "blocked",
    "complained",
    "unsubscribed",
    "failed",
    "suppressed",
    "canceled",
];
/// Readings at one time.
const READERS: usize = 8;

/// A message that was accepted by Raven.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) tenant: Tenant,
    pub(crate) id: String,
    /// It came with a test key: nothing of it may leave.
    pub(crate) sandbox: bool,
}

/// What became of them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Accepted once, and Raven says so.
    pub(crate) sent: usize,
    /// Raven says they went, and they did not.
    pub(crate) lost: Vec<String>,
    /// Accepted more than once, or once though nothing of them was to leave.
    pub(crate) doubled: Vec<String>,
    /// Failed for the reason that the stand-in gave, and not accepted; by reason.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Failed, and the reason is not true.
    pub(crate) untrue: Vec<String>,
    /// Not settled.
    pub(crate) open: Vec<String>,
    /// Accepted, and none of these.
    pub(crate) strange: usize,
}

impl Ledger {
    /// Waits until every message is settled, as long as more and more are, and compares.
    pub(crate) async fn of(raven: &Raven, posted: &[Posted]) -> Self {
        let fates = fates(posted).await;
        let mut copies = copies(&raven.sim).await;
        let mut refusals: HashMap<String, Vec<Value>> = HashMap::new();
        for refused in raven.sim.refusals().await {
            let id = refused["customId"].as_str().expect("an id").to_owned();
            refusals.entry(id).or_default().push(refused);
        }
        let mut this = Self::default();
        for (one, fate) in posted.iter().zip(fates) {
            let copies = copies.remove(&one.id).unwrap_or_default();
            let refusals = refusals.get(&one.id).map_or(&[][..], Vec::as_slice);
            this.enter(one, &fate, copies, refusals);
        }
        this.strange = copies.len();
        this
    }

    fn enter(&mut self, one: &Posted, fate: &Value, copies: usize, refusals: &[Value]) {
        let shown = || format!("{copies} copies of {fate}, refused: {refusals:?}");
        let expected = usize::from(!one.sandbox);
        if !is_settled(fate) {
            self.open.push(shown());
        } else if copies > expected {
            self.doubled.push(shown());
        } else if fate["status"] != "failed" {
            if copies == expected { self.sent += 1 } else { self.lost.push(shown()) }
        } else if copies == 0 && refusals.iter().any(|refused| is_reason(&fate["error"], refused)) {
            let reason = format!("{}: {}", fate["error"]["code"], fate["error"]["message"]);
            *self.failed.entry(reason).or_default() += 1;
        } else {
            self.untrue.push(shown());
        }
    }

    /// Every message is settled, as it is at the stand-in.
    pub(crate) fn assert_true(&self) {
        let wrong = [&self.lost, &self.doubled, &self.untrue, &self.open];
        assert!(wrong.iter().all(|list| list.is_empty()) && self.strange == 0, "{self}");
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: usize = self.failed.values().sum();
        writeln!(
            f,
            "sent {}, lost {}, doubled {}, failed {} ({} without a true reason), open {}, never posted {}",
            self.sent,
            self.lost.len(),
            self.doubled.len(),
            failed + self.untrue.len(),
            self.untrue.len(),
            self.open.len(),
            self.strange,
        )?;
        for (reason, count) in &self.failed {
            writeln!(f, "  failed {count}: {reason}")?;
        }
        let wrong = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("untrue", &self.untrue),
            ("open", &self.open),
        ];
        for (name, list) in wrong {
            for one in list.iter().take(5) {
                writeln!(f, "  {name}: {one}")?;
            }
        }
        Ok(())
    }
}

fn is_settled(fate: &Value) -> bool {
    SETTLED.iter().any(|status| fate["status"] == *status)
}

/// Whether the error of a message is what the stand-in said of this message, and of no other.
fn is_reason(error: &Value, refused: &Value) -> bool {
    let told = refused["errors"].as_array().into_iter().flatten();
    let same = |one: &Value| {
        let words = error["message"].as_str().unwrap_or_default();
        one["ErrorCode"] == error["code"] && words.contains(one["ErrorMessage"].as_str().expect("words"))
    };
    refused["own"] == true && told.into_iter().any(same)
}

/// The last reading of each message, in order; null where there is none.
async fn fates(posted: &[Posted]) -> Vec<Value> {
    let mut fates = vec![Value::Null; posted.len()];
    let mut open: Vec<usize> = (0..posted.len()).collect();
    let mut deadline = Instant::now() + DEADLINE;
    while !open.is_empty() && Instant::now() < deadline {
        let read = |place: usize| async move { (place, read(&posted[place]).await) };
        let readings: Vec<_> =
            stream::iter(open.iter().copied()).map(read).buffer_unordered(READERS).collect().await;
        for (place, fate) in readings {
            fates[place] = fate;
        }
        let before = open.len();
        open.retain(|&place| !is_settled(&fates[place]));
        if open.len() < before {
            deadline = Instant::now() + DEADLINE;
        }
        sleep(PAUSE).await;
    }
    fates
}

async fn read(one: &Posted) -> Value {
    let reply = one.tenant.get(&format!("/v1/messages/{}", one.id)).await;
    // Until a worker has stored it, it is not there.
    assert!([200, 404].contains(&reply.status), "{reply:?}");
    if reply.status == 200 { reply.json() } else { Value::Null }
}

/// How often each id was accepted, but for the sandbox.
async fn copies(sim: &Sim) -> HashMap<String, usize> {
    let mut copies = HashMap::new();
    for message in sim.messages().await {
        if message["sandbox"] == false {
            *copies.entry(message["customId"].as_str().expect("an id").to_owned()).or_default() += 1;
        }
    }
    copies
}

/// Waits until the stand-in has accepted so many messages, as long as more and more are; then each of these ids was
/// accepted once, and nothing else was.
pub(crate) async fn accepted_once<'a>(sim: &Sim, ids: impl IntoIterator<Item = &'a String>) {
    let ids: Vec<&String> = ids.into_iter().collect();
    let (mut most, mut deadline) = (0, Instant::now() + DEADLINE);
    loop {
        let accepted = sim.stat("acceptedMessages").await;
        if accepted >= ids.len() as u64 {
            break;
        }
        if accepted > most {
            (most, deadline) = (accepted, Instant::now() + DEADLINE);
        }
        assert!(Instant::now() < deadline, "{accepted} of {} were accepted, and no more come", ids.len());
        sleep(PAUSE).await;
    }
    let mut copies = copies(sim).await;
    for id in ids {
        assert_eq!(copies.remove(id), Some(1), "copies of {id}");
    }
    assert!(copies.is_empty(), "never posted, or posted under another id: {copies:?}");
}

//! The trouble of one tenant with its account at Mailjet is no trouble of another.
//!
//! How long the other waits is printed and not asserted, since machines that test are busy. Asserted is that its mail
//! does not wait for the calls of the tenant in trouble: a few may come between, not the backlog.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Raven, Tenant,
    ledger::accepted_once,
    plain,
    wait::{eventually, until},
};

/// Messages that a tenant with nothing wrong sends meanwhile, one after the other.
const PROBES: usize = 5;
/// Calls of the tenant in trouble that may begin while another's message is on its way.
const BETWEEN: u64 = 10;

/// A tenant in trouble and one without, and what is wrong with the first.
struct Scene {
    raven: Raven,
    ill: Tenant,
    well: Tenant,
    kind: &'static str,
}

impl Scene {
    async fn begin(name: &str, kind: &'static str) -> Self {
        let mut raven = Raven::without_worker(name).await;
        let (ill, well) = (raven.tenant().await, raven.tenant().await);
        // Whatever is done once for a tenant is done for this one.
        raven.start_worker().await;
        let first = well.send_to("ann@example.com").await;
        well.settled(&first, "delivered").await;
        raven.sim.order(&json!({"kind": kind, "account": ill.account.0})).await;
        Self { raven, ill, well, kind }
    }

    /// The tenant in trouble sends so many batches of 500.
    async fn flood(&self, batches: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for batch in 0..batches {
            let messages: Vec<Value> =
                (0..500).map(|number| plain(&format!("silent+{batch}-{number}@example.com"))).collect();
            ids.extend(self.ill.send_batch(&messages).await);
        }
        ids
    }

    /// How many calls of the tenant in trouble went wrong so far.
    async fn struck(&self) -> u64 {
        self.raven.sim.faults().await["data"][0]["struck"].as_u64().expect("a number")
    }

    /// The other tenant sends some messages, each of which must not wait for the backlog.
    async fn probe(&self) -> Vec<String> {
        let (mut ids, mut waits) = (Vec::new(), Vec::new());
        for number in 0..PROBES {
            let before = self.struck().await;
            let start = Instant::now();
            let id = self.well.send_to(&format!("silent+{number}@example.com")).await;
            self.arrived(&id).await;
            waits.push((start.elapsed(), self.struck().await - before));
            ids.push(id);
        }
        self.report(&waits);
        ids
    }

    async fn arrived(&self, id: &str) {
        let copies = async || (!self.raven.sim.copies(id).await.is_empty()).then_some(());
        eventually("the mail of the tenant without trouble", copies).await;
    }

    fn report(&self, waits: &[(Duration, u64)]) {
        println!(
            "{}: another's mail was on its way after (and calls that failed between): {waits:?}",
            self.kind
        );
        assert!(waits.iter().all(|(_, calls)| *calls <= BETWEEN), "it waits for the backlog: {waits:?}");
    }

    /// The trouble ends, and everything goes out once.
    async fn heal(&self, ids: &[Vec<String>]) {
        let (failed, start) = (self.struck().await, Instant::now());
        self.raven.sim.heal().await;
        let first = self.raven.sim.messages().await[0]["customId"].as_str().expect("an id").to_owned();
        let count: usize = ids.iter().map(Vec::len).sum();
        accepted_once(&self.raven.sim, ids.iter().flatten().chain([&first])).await;
        println!(
            "{}: {failed} calls failed; {count} messages went out {:?} after it ended",
            self.kind,
            start.elapsed()
        );
    }
}

/// An account that answers nothing but refusals, which accept nothing.
async fn refused(name: &str, kind: &'static str, batches: usize) {
    let scene = Scene::begin(name, kind).await;
    let before = scene.flood(batches).await;
    let (probes, after) = tokio::join!(scene.probe(), scene.flood(2));
    let again = scene.probe().await;
    let theirs = scene.raven.sim.messages().await;
    assert!(theirs.iter().all(|mail| mail["apiKey"] != json!(scene.ill.account.0)), "nothing of it went yet");
    let failed = scene.struck().await;
    scene.heal(&[before, after, probes, again]).await;
    assert!(failed < 100, "{failed} calls for an account that takes none");
}

#[tokio::test]
async fn a_flood_that_is_answered_429() {
    refused("a_flood_that_is_answered_429", "rate_limit", 10).await;
}

#[tokio::test]
async fn a_flood_of_a_blocked_account() {
    refused("a_flood_of_a_blocked_account", "blocked_account", 4).await;
}

#[tokio::test]
async fn a_flood_with_wrong_credentials() {
    refused("a_flood_with_wrong_credentials", "unauthorized", 4).await;
}

#[tokio::test]
async fn a_flood_that_hangs() {
    let scene = Scene::begin("a_flood_that_hangs", "hang").await;
    let before = scene.flood(5).await;
    let probes = scene.probe().await;
    scene.heal(&[before, probes]).await;
}

#[tokio::test]
async fn thousands_that_are_due_already() {
    let scene = Scene::begin("thousands_that_are_due_already", "rate_limit").await;
    let due = Timestamp::now() + SignedDuration::from_secs(6);
    let mut theirs = Vec::new();
    for batch in 0..6 {
        let scheduled = |number| {
            let mut message = plain(&format!("silent+{batch}-{number}@example.com"));
            message["scheduledAt"] = json!(due);
            message
        };
        theirs.extend(scene.ill.send_batch(&(0..500).map(scheduled).collect::<Vec<_>>()).await);
    }
    // Behind all of them, if messages go by their time alone.
    let mut last = plain("silent@example.com");
    let behind = due + SignedDuration::from_millis(100);
    last["scheduledAt"] = json!(behind);
    let ours = scene.well.post("/v1/messages", &last).await.expect(200)["id"].as_str().unwrap().to_owned();
    for (tenant, id) in [(&scene.ill, &theirs[theirs.len() - 1]), (&scene.well, &ours)] {
        tenant.settled(id, "scheduled").await;
    }
    assert_eq!(scene.struck().await, 0, "nothing was due before everything was stored");

    scene.arrived(&ours).await;
    let failed = scene.struck().await;
    let mail = scene.raven.sim.only_copy(&ours).await;
    let accepted: Timestamp = mail["acceptedAt"].as_str().unwrap().parse().unwrap();
    scene.report(&[(Duration::try_from(accepted - behind).unwrap_or_default(), failed)]);
    // By now everything of the other tenant waits for another attempt.
    let tried = async || scene.ill.message(&theirs[0]).await["attempts"].as_u64().unwrap_or_default();
    until("an attempt", tried, |attempts| *attempts > 0).await;
    let probes = scene.probe().await;
    scene.heal(&[theirs, vec![ours], probes]).await;
}

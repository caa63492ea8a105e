//! The trouble of one tenant with its account at Mailjet is no trouble of another.
//!
//! How long the other waits is printed and not asserted, since machines that test are busy. Asserted is that its mail
//! does not wait for the calls of the tenant in trouble: a few may come between, not the backlog.

use std::{sync::Mutex, time::Duration};

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
const BETWEEN: u64 = 20;

/// A tenant in trouble and one without, and what is wrong with the first.
struct Scene {
    raven: Raven,
    ill: Tenant,
    well: Tenant,
    kind: &'static str,
    /// Every message of either.
    ids: Mutex<Vec<String>>,
    /// How long the other tenant's messages took, and how many calls of the first failed meanwhile.
    waits: Mutex<Vec<(Duration, u64)>>,
}

impl Scene {
    async fn begin(name: &str, kind: &'static str) -> Self {
        Self::begin_with(name, kind, &[]).await
    }

    /// The same, with these settings of the worker.
    async fn begin_with(name: &str, kind: &'static str, settings: &[(&'static str, &str)]) -> Self {
        let mut raven = Raven::without_worker(name).await;
        raven.start_worker_with(settings).await;
        let (ill, well) = (raven.tenant().await, raven.tenant().await);
        let (ids, waits) = (Mutex::default(), Mutex::default());
        let this = Self { raven, ill, well, kind, ids, waits };
        // Whatever is done once for each tenant is done.
        for tenant in [&this.ill, &this.well] {
            let first = tenant.send_to("silent@example.com").await;
            tenant.settled(&first, "sent").await;
            this.note(vec![first]);
        }
        this.raven.sim.order(&json!({"kind": kind, "account": this.ill.account.0})).await;
        this
    }

    fn note(&self, ids: Vec<String>) {
        self.ids.lock().unwrap().extend(ids);
    }

    /// The tenant in trouble sends so many batches of 500.
    async fn flood(&self, batches: usize, scheduled: Option<Timestamp>) {
        for batch in 0..batches {
            let message = |number| at(&format!("silent+{batch}-{number}@example.com"), scheduled);
            let ids = self.ill.send_batch(&(0..500).map(message).collect::<Vec<_>>()).await;
            self.note(ids);
        }
    }

    /// How many calls of the tenant in trouble went wrong so far.
    async fn struck(&self) -> u64 {
        self.raven.sim.faults().await["data"][0]["struck"].as_u64().expect("a number")
    }

    /// The other tenant sends some messages, one after the other.
    async fn probe(&self) {
        for number in 0..PROBES {
            let before = self.struck().await;
            let start = Instant::now();
            let id = self.well.send_to(&format!("silent+{number}@example.com")).await;
            self.arrived(&id).await;
            let wait = (start.elapsed(), self.struck().await - before);
            self.waits.lock().unwrap().push(wait);
            self.note(vec![id]);
        }
    }

    /// The mail of the tenant without trouble; nothing else of this test could be meant.
    async fn arrived(&self, id: &str) -> Value {
        let copies = async || self.raven.sim.copies(id).await.pop();
        eventually("the mail of the tenant without trouble", copies).await
    }

    /// The trouble ends, and everything goes out once; then what was seen is judged. Answers how many calls failed.
    async fn heal(self) -> u64 {
        let failed = self.struck().await;
        self.raven.sim.heal().await;
        let start = Instant::now();
        let (ids, waits) = (self.ids.into_inner().unwrap(), self.waits.into_inner().unwrap());
        println!("{}: another's mail took, while so many calls failed: {waits:?}", self.kind);
        accepted_once(&self.raven.sim, &ids).await;
        let took = start.elapsed();
        println!(
            "{}: {failed} calls failed in all; all {} messages had left {took:?} later",
            self.kind,
            ids.len()
        );
        assert!(waits.iter().all(|(_, calls)| *calls <= BETWEEN), "it waits for the backlog: {waits:?}");
        failed
    }
}

/// A plain mail, at once or at its time.
fn at(to: &str, scheduled: Option<Timestamp>) -> Value {
    let mut message = plain(to);
    if let Some(time) = scheduled {
        message["scheduledAt"] = json!(time);
    }
    message
}

/// An account that answers nothing but refusals, which accept nothing.
async fn refused(name: &str, kind: &'static str, batches: usize) {
    let scene = Scene::begin(name, kind).await;
    scene.flood(batches, None).await;
    tokio::join!(scene.probe(), scene.flood(2, None));
    scene.probe().await;
    let theirs = json!(scene.ill.account.0);
    let theirs = scene.raven.sim.messages().await.iter().filter(|mail| mail["apiKey"] == theirs).count();
    assert_eq!(theirs, 1, "nothing of it went since");
    let failed = scene.heal().await;
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
    scene.flood(5, None).await;
    scene.probe().await;
    scene.heal().await;
}

/// No call of the tenant in trouble ends before the other's mail is there, so that it cannot have waited for one.
#[tokio::test]
async fn a_flood_that_hangs_for_long() {
    let settings = [("MAILJET_TIMEOUT", "30s")];
    let scene = Scene::begin_with("a_flood_that_hangs_for_long", "hang", &settings).await;
    scene.flood(5, None).await;
    until("calls that hang", async || scene.struck().await, |struck| *struck > 0).await;
    let ended = async || {
        let (calls, open) = (scene.raven.sim.stat("calls").await, scene.raven.sim.stat("openCalls").await);
        calls - open
    };
    let before = ended().await;
    scene.probe().await;
    let ended = ended().await - before;
    assert_eq!(ended, PROBES as u64, "calls that ended are those of the other tenant");
    // What hangs ends now, and not when its time is over.
    scene.raven.sim.heal().await;
    scene.raven.proxies.mailjet.cut();
    until("the end of all calls", async || scene.raven.sim.stat("openCalls").await, |open| *open == 0).await;
    scene.raven.proxies.mailjet.heal();
    accepted_once(&scene.raven.sim, &scene.ids.into_inner().unwrap()).await;
}

#[tokio::test]
async fn thousands_that_are_due_already() {
    let scene = Scene::begin("thousands_that_are_due_already", "rate_limit").await;
    let due = Timestamp::now() + SignedDuration::from_secs(10);
    scene.flood(6, Some(due)).await;
    // Behind all of them, if messages go by their time alone.
    let behind = due + SignedDuration::from_millis(100);
    let ours = at("silent@example.com", Some(behind));
    let ours = scene.well.post("/v1/messages", &ours).await.expect(200)["id"].as_str().unwrap().to_owned();
    let theirs = scene.ids.lock().unwrap().last().unwrap().clone();
    for (tenant, id) in [(&scene.ill, &theirs), (&scene.well, &ours)] {
        tenant.settled(id, "scheduled").await;
    }
    assert_eq!(scene.struck().await, 0, "nothing was due before everything was stored");

    let mail = scene.arrived(&ours).await;
    let failed = scene.struck().await;
    let accepted: Timestamp = mail["acceptedAt"].as_str().unwrap().parse().unwrap();
    let late = Duration::try_from(accepted - behind).expect("not before its time");
    scene.waits.lock().unwrap().push((late, failed));
    scene.note(vec![ours]);
    // What is due of the first tenant waits for another attempt, while the other sends more.
    scene.probe().await;
    scene.heal().await;
}

/// Mailjet takes so many calls in ten seconds, and two thirds of what is needed: the rest comes in the next ten, in calls
/// that are as full.
#[tokio::test]
async fn a_rate_limit_is_lived_with() {
    const LIMIT: u64 = 40;
    let sim = [("MAILJET_SIM_RATE_LIMIT", LIMIT.to_string())];
    let mut raven = Raven::with_sim("a_rate_limit_is_lived_with", &sim).await;
    let tenant = raven.tenant().await;
    let mut ids = Vec::new();
    for batch in 0..6 {
        let message = |number| plain(&format!("silent+{batch}-{number}@example.com"));
        ids.extend(tenant.send_batch(&(0..500).map(message).collect::<Vec<_>>()).await);
    }
    raven.start_worker().await;
    let start = Instant::now();
    let stats = async || (raven.sim.stat("acceptedMessages").await, raven.sim.stat("refusedCalls").await);
    let all = ids.len() as u64;
    let (accepted, refused) =
        until("the end", stats, |(accepted, refused)| *accepted == all || *refused > 5 * LIMIT).await;
    let calls = raven.sim.stat("calls").await;
    println!(
        "{accepted} of {all} in {calls} calls, {refused} of them over the rate, in {:?}",
        start.elapsed()
    );
    assert!(refused <= 5 * LIMIT, "{refused} calls over a rate of {LIMIT}, and {accepted} accepted");
    accepted_once(&raven.sim, &ids).await;
}

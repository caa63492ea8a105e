//! Claims under which no call began are given back, also where Postgres hears of it late, or twice.
//!
//! The account of one tenant hangs, so that what was claimed for it waits for calls that do not end in time. Another
//! tenant's mail becomes due meanwhile, and goes out all the same.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::harness::{
    Raven, Tenant,
    database::Session,
    ledger::{Ledger, Posted},
    plain,
    wait::{eventually, until},
};

/// Long enough for two workers to begin within it. A claim may be used for as long, and holds for twice that and a
/// little.
const SETTINGS: [(&str, &str); 1] = [("MAILJET_TIMEOUT", "3s")];
/// Batches of the tenant whose account hangs: many more than workers have room for, and as many as one has.
const MANY: [usize; 2] = [500, 500];
const FEW: [usize; 2] = [200, 200];

/// Messages of one account for which a worker has room in the beginning.
const MOST: u64 = 400;

/// A tenant whose claimed messages wait, and one whose message is due soon.
struct Scene {
    raven: Raven,
    session: Session,
    hanging: Tenant,
    well: Tenant,
    posted: Vec<Posted>,
    /// The message that is due soon.
    due: String,
}

impl Scene {
    async fn begin(name: &str, workers: usize, batches: [usize; 2]) -> Self {
        let mut raven = Raven::without_worker(name).await;
        let (hanging, well) = (raven.tenant().await, raven.tenant().await);
        raven.sim.order(&json!({"kind": "hang", "account": hanging.account.0})).await;
        let mut posted = Vec::new();
        let mut note = |tenant: &Tenant, ids: Vec<String>| {
            posted.extend(ids.into_iter().map(|id| Posted { tenant: tenant.clone(), id, sandbox: false }));
        };
        for (batch, count) in batches.into_iter().enumerate() {
            let message = |number| plain(&format!("silent+{batch}-{number}@example.com"));
            note(&hanging, hanging.send_batch(&(0..count).map(message).collect::<Vec<_>>()).await);
        }
        let mut soon = plain("silent@example.com");
        soon["scheduledAt"] = json!(Timestamp::now() + SignedDuration::from_secs(5));
        let due = well.post("/v1/messages", &soon).await.expect(200)["id"].as_str().unwrap().to_owned();
        note(&well, vec![due.clone()]);
        for _ in 0..workers {
            raven.start_worker_with(&SETTINGS).await;
        }
        let session = raven.database.session().await;
        let this = Self { raven, session, hanging, well, posted, due };
        this.well.settled(&this.due, "scheduled").await;
        let waiting = async || (this.claimed().await, this.raven.sim.stat("openCalls").await);
        let one_has_no_room = workers.saturating_sub(1) as u64 * MOST;
        let wait = |claimed, open| open > 0 && claimed > 50 * open && claimed > one_has_no_room;
        let (claimed, open) =
            until("claims that wait", waiting, |(claimed, open)| wait(*claimed, *open)).await;
        println!("{claimed} claimed, and {open} calls hang");
        this
    }

    /// One number from Postgres, past the proxy.
    async fn count(&self, condition: &str) -> u64 {
        let query = format!("select count(*) from messages where {condition}");
        self.session.client.query_one(&query, &[]).await.unwrap().get::<_, i64>(0).unsigned_abs()
    }

    async fn claimed(&self) -> u64 {
        self.count("status = 20").await
    }

    /// The claims are of no use any more: the calls that began with them have ended, and no other may begin.
    async fn calls_have_ended(&self) {
        let open = async || self.raven.sim.stat("openCalls").await;
        until("the calls to end", open, |open| *open == 0).await;
    }

    /// Everything that is claimed may be taken up by somebody else, and the mail of the other tenant is due.
    async fn leases_have_ended(&self) {
        let held = "(status = 20 or scheduled_at is not null) and due_at > now()";
        until("the leases to end", async || self.count(held).await, |held| *held == 0).await;
        assert!(self.claimed().await > 0, "nobody could say otherwise");
    }

    async fn mail_of_the_other(&self) {
        eventually("the mail of the other", async || self.raven.sim.copies(&self.due).await.pop()).await;
    }

    /// Everything went out once, and Raven says so.
    async fn all_once(&self) {
        self.raven.sim.heal().await;
        let ledger = Ledger::of(&self.raven, &self.posted).await;
        let mut attempts: HashMap<u64, usize> = HashMap::new();
        for one in self.posted.iter().filter(|one| one.tenant.id == self.hanging.id) {
            let message = one.tenant.message(&one.id).await;
            assert!(message["error"].is_null(), "{message}");
            *attempts.entry(message["attempts"].as_u64().unwrap()).or_default() += 1;
        }
        let given_back = self.count("given_back > 0").await;
        println!("{ledger}of the flood {given_back} were given back; attempts: {attempts:?}");
        ledger.assert_true();
        assert_eq!(ledger.sent, self.posted.len());
        // A claim of which Postgres could not tell any more is one that nobody gives back.
        assert!(attempts.keys().all(|count| [1, 2].contains(count)), "{attempts:?}");
        let once = attempts.get(&1).copied().unwrap_or_default();
        assert!(once * 2 > self.posted.len(), "a claim without a call is no attempt: {attempts:?}");
        assert_eq!(self.raven.sim.stat("duplicates").await, 0);
        let broken = |log: &str| log.contains("duplicate key") || log.contains("are not recorded;");
        assert!(!self.raven.workers.iter().any(|worker| broken(&worker.log())), "see the logs");
    }
}

#[tokio::test]
async fn postgres_is_away_when_claims_are_given_back() {
    let scene = Scene::begin("postgres_is_away_when_claims_are_given_back", 1, MANY).await;
    scene.raven.proxies.postgres.cut();
    scene.calls_have_ended().await;
    scene.raven.proxies.postgres.heal();
    scene.mail_of_the_other().await;
    scene.all_once().await;
}

#[tokio::test]
async fn postgres_is_away_until_the_leases_have_ended() {
    let scene = Scene::begin("postgres_is_away_until_the_leases_have_ended", 2, MANY).await;
    scene.raven.proxies.postgres.cut();
    scene.leases_have_ended().await;
    scene.raven.proxies.postgres.heal();
    scene.mail_of_the_other().await;
    scene.all_once().await;
}

#[tokio::test]
async fn postgres_is_silent_until_the_leases_have_ended() {
    let scene = Scene::begin("postgres_is_silent_until_the_leases_have_ended", 2, MANY).await;
    scene.raven.proxies.postgres.swallow();
    scene.leases_have_ended().await;
    scene.raven.proxies.postgres.heal();
    scene.mail_of_the_other().await;
    scene.all_once().await;
}

/// Each time that the worker gives claims back Postgres does as it is told, and the worker does not hear of it: so it says
/// it again, while another has claimed the messages anew and calls with them.
#[tokio::test]
async fn claims_are_given_back_again_and_again() {
    let mut scene = Scene::begin("claims_are_given_back_again_and_again", 1, FEW).await;
    scene.raven.proxies.postgres.lose_commits();
    scene.raven.workers[0].ask_to_end();
    let given_back = async || scene.count("given_back > 0").await;
    until("claims to be given back", given_back, |count| *count > 0).await;
    scene.raven.start_worker_with(&SETTINGS).await;
    let taken_again = async || scene.count("given_back > 0 and status = 20").await;
    let again = until("claims to be made anew", taken_again, |count| *count > 0).await;
    let before = scene.raven.proxies.postgres.lost_commits();
    let lost = async || scene.raven.proxies.postgres.lost_commits();
    let lost = until("commits to be lost", lost, |lost| *lost >= before + 2).await;
    println!("{again} claimed anew; {lost} commits of which nobody heard, {before} of them before");
    scene.mail_of_the_other().await;
    scene.raven.proxies.postgres.cut();
    scene.calls_have_ended().await;
    scene.raven.proxies.postgres.heal();
    assert_eq!(scene.raven.workers[0].terminate().await.code(), Some(0));
    scene.all_once().await;
}

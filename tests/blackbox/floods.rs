//! Much mail at once, with nothing wrong: everything goes out once, and nobody's mail stands behind another's.
//!
//! How long things took is printed. Asserted is how much of the flood came between, and that the flood goes on when the
//! other's mail is there.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Raven, Tenant,
    ledger::accepted_once,
    plain,
    wait::{DEADLINE, eventually, until, within},
};

/// Plain mails to addresses of which nothing is told.
fn mails(name: &str, count: usize) -> Vec<Value> {
    (0..count).map(|number| plain(&format!("silent+{name}-{number}@example.com"))).collect()
}

/// The mail of somebody who waits for it; answers its place among all that were accepted.
async fn place_of(raven: &Raven, id: &str) -> u64 {
    let mail = eventually("a mail", async || raven.sim.copies(id).await.pop()).await;
    mail["seq"].as_u64().expect("a number")
}

const TENANTS: usize = 60;
const EACH: usize = 50;

/// Many tenants with an account each, and nothing more.
async fn tenants(raven: &Raven, count: usize) -> Vec<Tenant> {
    let one = async |_| {
        let tenant = raven.bare_tenant().await;
        tenant.set_provider().await;
        tenant
    };
    stream::iter(0..count).map(one).buffer_unordered(4).collect().await
}

async fn in_status(raven: &Raven, status: &str) -> u64 {
    let session = raven.database.session().await;
    let query = format!("select count(*) from messages where {status}");
    session.client.query_one(&query, &[]).await.unwrap().get::<_, i64>(0).unsigned_abs()
}

/// All of them have their turn, and the one who has a single message is not behind all others.
async fn all_have_their_turn(raven: &Raven, ids: &[String], single: &str, start: Instant) {
    within(DEADLINE, "everything", accepted_once(&raven.sim, ids)).await;
    println!("{} messages of {} tenants took {:?}", ids.len(), TENANTS + 1, start.elapsed());
    let (place, all) = (place_of(raven, single).await, ids.len() as u64);
    println!("the single one was number {place}, in {} calls", raven.sim.stat("calls").await);
    assert!(place <= all * 2 / 3, "it was number {place} of {all}");
}

#[tokio::test]
async fn sixty_tenants_are_due_in_the_same_second() {
    let raven = Raven::start("sixty_tenants_are_due_in_the_same_second").await;
    let tenants = tenants(&raven, TENANTS + 1).await;
    let (single, many) = tenants.split_first().unwrap();
    let due = Timestamp::now() + SignedDuration::from_secs(12);
    let at = |mut mail: Value, time: Timestamp| {
        mail["scheduledAt"] = json!(time);
        mail
    };
    let mut ids = Vec::new();
    for tenant in many {
        let mails = mails("due", EACH).into_iter().map(|mail| at(mail, due)).collect::<Vec<_>>();
        ids.extend(tenant.send_batch(&mails).await);
    }
    // Behind all of them, if messages go by their time alone.
    let behind = at(plain("silent@example.com"), due + SignedDuration::from_millis(100));
    let behind = single.post("/v1/messages", &behind).await.expect(200)["id"].as_str().unwrap().to_owned();
    ids.push(behind.clone());
    let stored = async || in_status(&raven, "status = 0").await;
    until("all to be stored", stored, |stored| *stored == ids.len() as u64).await;
    assert!(Timestamp::now() < due, "nothing was due before everything was stored");
    let wait = Duration::try_from(due - Timestamp::now()).unwrap_or_default();
    all_have_their_turn(&raven, &ids, &behind, Instant::now() + wait).await;
}

#[tokio::test]
async fn sixty_accounts_are_well_again_at_once() {
    let raven = Raven::start("sixty_accounts_are_well_again_at_once").await;
    let tenants = tenants(&raven, TENANTS + 1).await;
    let (single, many) = tenants.split_first().unwrap();
    raven.sim.fault("unauthorized", None, 0).await;
    let mut ids = Vec::new();
    for tenant in many {
        ids.extend(tenant.send_batch(&mails("refused", EACH)).await);
    }
    let last = single.send_to("silent@example.com").await;
    ids.push(last.clone());
    let refused = "error_code is not null and status in (10, 20)";
    let refused = async || in_status(&raven, refused).await;
    until("all to be refused or held back", refused, |count| *count == ids.len() as u64).await;
    assert_eq!(raven.sim.stat("acceptedMessages").await, 0);
    raven.sim.heal().await;
    let start = Instant::now();
    within(DEADLINE, "everything", accepted_once(&raven.sim, &ids)).await;
    println!("{} messages of {} tenants took {:?}", ids.len(), TENANTS + 1, start.elapsed());
    let unsent = async || in_status(&raven, "error_code is not null or status <> 40").await;
    until("all to be known as sent", unsent, |count| *count == 0).await;
}

/// Batches of 500 of the flood.
const BATCHES: usize = 16;
/// Of the flood, messages that may come between another's message and its arrival: what the account takes in twice the
/// time of a call.
const BETWEEN: u64 = BATCHES as u64 * 500 / 5;

/// A tenant sends thousands to an account that is well, and another tenant some.
struct Healthy {
    raven: Raven,
    busy: Tenant,
    quiet: Tenant,
}

impl Healthy {
    async fn begin(name: &str) -> Self {
        // So much that what waits, waits for its account, and not for the worker to take it on.
        let sim = [("MAILJET_SIM_LATENCY", "600ms".to_owned())];
        let mut raven = Raven::with_sim(name, &sim).await;
        let (busy, quiet) = (raven.tenant().await, raven.tenant().await);
        raven.start_worker().await;
        Self { raven, busy, quiet }
    }

    async fn accepted(&self) -> u64 {
        self.raven.sim.stat("acceptedMessages").await
    }

    async fn flood(&self) -> Vec<String> {
        let (start, mut ids) = (Instant::now(), Vec::new());
        for batch in 0..BATCHES {
            ids.extend(self.busy.send_batch(&mails(&format!("flood-{batch}"), 500)).await);
        }
        println!("the flood was posted in {:?}, and {} accepted", start.elapsed(), self.accepted().await);
        ids
    }

    /// Waits until some of the flood has gone.
    async fn under_way(&self, some: u64) {
        until("the flood", async || self.accepted().await, |accepted| *accepted >= some).await;
    }
}

#[tokio::test]
async fn single_mails_pass_a_healthy_flood() {
    let scene = Healthy::begin("single_mails_pass_a_healthy_flood").await;
    let (start, all) = (Instant::now(), BATCHES as u64 * 500);
    let singles = async {
        scene.under_way(1).await;
        let (mut ids, mut seen) = (Vec::new(), Vec::new());
        while scene.accepted().await < all * 3 / 4 {
            let (before, start) = (scene.accepted().await, Instant::now());
            let id = scene.quiet.send_to(&format!("silent+{}@example.com", ids.len())).await;
            let place = place_of(&scene.raven, &id).await;
            seen.push((start.elapsed(), place - before - 1));
            ids.push(id);
        }
        (ids, seen)
    };
    let (mut ids, (singles, seen)) = tokio::join!(scene.flood(), singles);
    println!("single mails took, while so many of the flood were accepted: {seen:?}");
    ids.extend(singles);
    accepted_once(&scene.raven.sim, &ids).await;
    println!("all {} were accepted in {:?}", ids.len(), start.elapsed());
    assert!(seen.len() >= 3, "too few to tell: {seen:?}");
    assert!(seen.iter().all(|(_, between)| *between <= BETWEEN), "they wait for the flood: {seen:?}");
}

#[tokio::test]
async fn a_batch_passes_a_healthy_flood() {
    let scene = Healthy::begin("a_batch_passes_a_healthy_flood").await;
    let (start, all) = (Instant::now(), BATCHES as u64 * 500 + 300);
    let batch = async {
        scene.under_way(500).await;
        let (before, start) = (scene.accepted().await, Instant::now());
        let ids = scene.quiet.send_batch(&mails("quiet", 300)).await;
        (ids, before, start)
    };
    let (mut ids, (quiet, before, posted)) = tokio::join!(scene.flood(), batch);
    ids.extend(quiet.iter().cloned());
    accepted_once(&scene.raven.sim, &ids).await;
    let mails = scene.raven.sim.messages().await;
    let theirs = mails.iter().filter(|mail| mail["apiKey"] == json!(scene.quiet.account.0));
    let places: Vec<u64> = theirs.map(|mail| mail["seq"].as_u64().unwrap()).collect();
    let (first, last) = (places[0], places[places.len() - 1]);
    let at = mails[usize::try_from(last).unwrap() - 1]["acceptedAt"].as_str().unwrap();
    println!(
        "the batch of 300, posted {:?} ago when {before} were accepted, took the places {first} to {last} of {all}; \
         the last at {at}, the end of all {:?} after the start",
        posted.elapsed(),
        start.elapsed(),
    );
    assert!(last < all, "it was there before the flood ended");
    assert!(last - before <= 2 * BETWEEN, "number {last} of {all}, posted when {before} were accepted");
}

/// Calls of the one account take so long that nothing but the first few ends while the other's mail is on its way.
#[tokio::test]
async fn a_mail_with_an_attachment_passes_a_flood_of_large_ones() {
    const LARGE: usize = 80;
    let mut raven = Raven::without_worker("a_mail_with_an_attachment_passes_a_flood_of_large_ones").await;
    let (busy, quiet) = (raven.tenant().await, raven.tenant().await);
    let slow = json!({"kind": "delay", "account": busy.account.0, "delayMs": 15_000});
    raven.sim.order(&slow).await;
    let large = async |number: usize| {
        let mut mail = plain(&format!("silent+{number}@example.com"));
        mail["bodyText"] = json!("x".repeat(100_000 + number * 1000));
        busy.send(&mail).await
    };
    let mut ids: Vec<String> = stream::iter(0..LARGE).map(large).buffer_unordered(4).collect().await;
    raven.start_worker_with(&[("MAILJET_TIMEOUT", "30s")]).await;
    let accepted = async || raven.sim.stat("acceptedMessages").await;
    until("the flood", accepted, |accepted| *accepted > 0).await;

    let mut mail = plain("silent+quiet@example.com");
    let content = STANDARD.encode(vec![7; 300_000]);
    mail["attachments"] =
        json!([{"filename": "a.bin", "contentType": "application/octet-stream", "content": content}]);
    let start = Instant::now();
    let id = quiet.send(&mail).await;
    let place = place_of(&raven, &id).await;
    println!("it took {:?}, and was number {place} of {}", start.elapsed(), LARGE + 1);
    assert!(place <= LARGE as u64, "it was there before the flood ended");
    raven.sim.heal().await;
    ids.push(id);
    accepted_once(&raven.sim, &ids).await;
}

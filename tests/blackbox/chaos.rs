//! Every fault that the stand-in knows, at random, while two workers send and one of them is killed every second: in the
//! end each accepted message was accepted by Mailjet once, or has failed for the reason that Mailjet gave, and none is
//! stuck.

use std::{fmt::Write as _, ops::RangeInclusive, time::Duration};

use fastrand::Rng;
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::harness::{
    Raven, Tenant, http,
    ledger::{Ledger, Posted},
    servers::seed,
};

const MESSAGES: usize = 600;
const TENANTS: usize = 3;
/// Workers that die, one every second; what is posted is spread over that time.
const DEATHS: usize = 12;
/// Lets what is uncertain be found out within seconds: a claim holds for 4 s, and the three questions take 7 s.
const WORKER: [(&str, &str); 4] = [
    ("MAILJET_TIMEOUT", "1s"),
    ("RAVEN_RECONCILE_AFTER", "1s"),
    ("RAVEN_RETRY_BASE", "100ms"),
    ("RAVEN_RETRY_MAX", "1s"),
];

/// Each kind of fault, the chance of it, and its delay. The look-up lags, but not for longer than all three questions
/// take: that is where the guarantee ends, by the README.
const FAULTS: [(&str, f64, u64); 16] = [
    ("rate_limit", 0.06, 0),
    ("server_error", 0.04, 0),
    ("server_error_after_accept", 0.04, 0),
    ("drop_before", 0.04, 0),
    ("drop_after_accept", 0.05, 0),
    ("delay", 0.1, 400),
    ("hang", 0.03, 0),
    ("garbage", 0.04, 0),
    ("partial", 0.05, 0),
    ("unauthorized", 0.04, 0),
    ("blocked_account", 0.04, 0),
    ("events_duplicate", 0.2, 0),
    ("events_reorder", 0.2, 0),
    ("events_hold", 0.1, 0),
    ("lookup_error", 0.2, 0),
    ("lookup_lag", 0.5, 2_000),
];

/// A message to post.
struct Errand {
    tenant: usize,
    /// When, after the start.
    at: Duration,
    message: Value,
    sandbox: bool,
    /// The idempotency key, under which it is posted at both ingests at once.
    key: Option<String>,
}

/// Addresses of one list of a message.
fn people(rng: &mut Rng, name: &str, count: RangeInclusive<usize>) -> Vec<String> {
    let word = ["ann", "silent", "open"][rng.usize(..3)];
    (0..rng.usize(count)).map(|place| format!("{word}+{name}{place}@example.com")).collect()
}

fn errand(number: usize, rng: &mut Rng) -> Errand {
    let span = u64::try_from(DEATHS * 1_000).expect("milliseconds");
    let at = Duration::from_millis(rng.u64(..span));
    let mut message = json!({
        "to": people(rng, &format!("{number}to"), 1..=4), "cc": people(rng, &format!("{number}cc"), 0..=3),
        "bcc": people(rng, &format!("{number}bcc"), 0..=3),
        "subject": format!("Number {number}"), "bodyText": "Hello there.",
    });
    match rng.u8(..100) {
        0..4 => message["from"] = json!("unverified@shop.example"),
        4..7 => message["to"][0] = json!(format!("poison+{number}@example.com")),
        7..11 => message["bcc"] = json!(people(rng, &format!("{number}many"), 40..=43)),
        11..23 => {
            let ahead = at + Duration::from_millis(rng.u64(800..2_500));
            message["scheduledAt"] = json!(Timestamp::now() + ahead);
        }
        _ => {}
    }
    let key = (rng.u8(..6) == 0).then(|| format!("order-{number}"));
    Errand { tenant: rng.usize(..TENANTS), at, message, sandbox: rng.u8(..12) == 0, key }
}

/// A tenant with a live and a test key.
struct Customer {
    live: Tenant,
    test: Tenant,
}

async fn customer(raven: &Raven) -> Customer {
    let live = raven.tenant().await;
    let made = raven.cli(&["key", "create", "--tenant", &live.id, "--test", "--json"], "").await.json();
    let key = made["apiKey"].as_str().expect("a key");
    raven.guard(key);
    Customer { test: live.with_key(key), live }
}

/// Posts once, or with a key at both ingests at once, and answers the one id.
async fn post(errand: &Errand, customers: &[Customer], second: &Url) -> Posted {
    let customer = &customers[errand.tenant];
    let tenant = if errand.sandbox { &customer.test } else { &customer.live };
    let request = |tenant: &Tenant| {
        let request = tenant.request(Method::POST, "/v1/messages").json(&errand.message);
        match &errand.key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        }
    };
    let other = tenant.at(second);
    let asked = if errand.key.is_some() { vec![tenant, &other] } else { vec![tenant] };
    let replies = join_all(asked.into_iter().map(|tenant| http::send(request(tenant)))).await;
    let ids: Vec<String> =
        replies.iter().map(|reply| reply.expect(200)["id"].as_str().expect("an id").to_owned()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one key, one id: {ids:?}");
    Posted { tenant: customer.live.clone(), id: ids[0].clone(), sandbox: errand.sandbox }
}

/// Each kind strikes once for certain, and then by chance.
async fn order_faults(raven: &Raven) {
    let known = raven.sim.faults().await["kinds"].clone();
    let known = known.as_array().expect("a list").iter().map(|kind| kind.as_str().expect("a kind"));
    for kind in known {
        let fault = FAULTS.iter().find(|(name, ..)| *name == kind);
        let (_, probability, delay) = fault.unwrap_or_else(|| panic!("{kind} has no chance here"));
        raven.sim.order(&json!({"kind": kind, "count": 1, "delayMs": delay})).await;
        raven.sim.order(&json!({"kind": kind, "probability": probability, "delayMs": delay})).await;
    }
}

async fn struck(raven: &Raven) -> String {
    let mut text = String::new();
    let faults = raven.sim.faults().await;
    for pair in faults["data"].as_array().expect("a list").chunks(2) {
        let struck: u64 = pair.iter().filter_map(|fault| fault["struck"].as_u64()).sum();
        assert!(struck > 0, "never struck: {pair:?}");
        write!(text, " {}×{struck}", pair[0]["kind"].as_str().unwrap_or_default()).expect("a text");
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_each_message_goes_out_once() {
    let seed = seed();
    println!("seed {seed} (RAVEN_TEST_SEED={seed} tries the same again)");
    let sim = [("MAILJET_SIM_SEED", seed.to_string())];
    let mut raven = Raven::with_sim("whatever_breaks_each_message_goes_out_once", &sim).await;
    let second = raven.start_ingest().await;
    let mut customers = Vec::new();
    for _ in 0..TENANTS {
        customers.push(customer(&raven).await);
    }
    for _ in 0..2 {
        raven.start_worker_with(&WORKER).await;
    }
    order_faults(&raven).await;

    let mut rng = Rng::with_seed(seed);
    let errands: Vec<Errand> = (0..MESSAGES).map(|number| errand(number, &mut rng)).collect();
    let start = Instant::now();
    let posting = join_all(errands.iter().map(async |errand| {
        sleep_until(start + errand.at).await;
        post(errand, &customers, &second).await
    }));
    let (posted, ()) = tokio::join!(posting, kill_every_second(&mut raven));

    println!("struck:{}", struck(&raven).await);
    raven.sim.heal().await;
    let healed = Instant::now();
    let ledger = Ledger::of(&raven, &posted).await;
    println!("{ledger}settled {:?} after the last fault, {DEATHS} workers died", healed.elapsed());
    ledger.assert_true();
    assert!(!ledger.failed.is_empty() && ledger.sent > MESSAGES * 3 / 4, "{ledger}");
    assert_eq!(raven.sim.stat("duplicates").await, 0);

    // A key that is used once more is still the same message, of which no other copy leaves.
    for (errand, posted) in errands.iter().zip(&posted).filter(|(errand, _)| errand.key.is_some()) {
        assert_eq!(post(errand, &customers, &second).await.id, posted.id);
    }
    let last = customers[0].live.send_to("ann@example.com").await;
    customers[0].live.settled(&last, "delivered").await;
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

/// The older of two workers dies, and another takes its place.
async fn kill_every_second(raven: &mut Raven) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seconds.tick().await;
    for victim in 0..DEATHS {
        seconds.tick().await;
        raven.workers[victim].kill();
        raven.start_worker_with(&WORKER).await;
    }
}

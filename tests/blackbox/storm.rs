//! A hundred thousand events, shuffled and repeated, through two ingests and three workers of which one is killed now
//! and then: the history holds each once, a reader of the feed meets each once, and every status is that of a model that
//! takes them one after the other.

use std::collections::{BTreeMap, HashSet};

use fastrand::Rng;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Copy, Raven, Tenant, wait::DEADLINE};

const EVENTS: usize = 100_000;
/// Of each hundred events, so many are told twice.
const REPEATS: usize = 15;
const MESSAGES: usize = 150;
/// Workers that die on the way.
const DEATHS: usize = 8;
/// Requests at one time.
const REQUESTS: usize = 16;
/// Three workers with four lanes each are twelve writers.
const LANES: [(&str, &str); 1] = [("RAVEN_EVENT_LANES", "4")];

/// A kind of event.
struct Kind {
    make: fn(&Copy, u64) -> Value,
    /// How many of 100,000 events are of this kind; the rest are opens. The heavier the rarer, so that every status is
    /// somewhere the final one.
    share: usize,
    /// The status that it makes; the kinds stand in the order of the contract.
    status: &'static str,
    /// The reason for suppressing that it gives, weakest first.
    reason: Option<(u8, &'static str)>,
}

const fn kind(
    make: fn(&Copy, u64) -> Value,
    share: usize,
    status: &'static str,
    reason: Option<(u8, &'static str)>,
) -> Kind {
    Kind { make, share, status, reason }
}

const KINDS: [Kind; 7] = [
    kind(Copy::open, 0, "sent", None),
    kind(Copy::soft_bounce, 300, "bounced", None),
    kind(Copy::sent, 250, "delivered", None),
    kind(Copy::blocked, 150, "blocked", None),
    kind(Copy::hard_bounce, 120, "bounced", Some((2, "hard_bounce"))),
    kind(Copy::unsub, 80, "unsubscribed", Some((1, "unsubscribed"))),
    kind(Copy::spam, 60, "complained", Some((3, "spam_complaint"))),
];

/// What the model knows of a recipient: the place of its status in [`KINDS`], and why it is suppressed.
#[derive(Default)]
struct Fate {
    weight: usize,
    reason: Option<(u8, &'static str)>,
}

/// By message and address.
type Model = BTreeMap<(String, String), Fate>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_events_is_recorded_once_whoever_dies() {
    let mut raven = Raven::without_worker("a_storm_of_events_is_recorded_once_whoever_dies").await;
    let second = raven.start_ingest().await;
    for _ in 0..3 {
        raven.start_worker_with(&LANES).await;
    }
    let tenant = raven.tenant().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let copies = copies(&tenant).await;
    let (events, model) = events(&copies, &mut rng);
    let bodies = bodies(&events, &mut rng);

    let ingests = [tenant.clone(), tenant.at(&second)];
    let posting =
        stream::iter(bodies.into_iter().enumerate()).for_each_concurrent(REQUESTS, |(number, body)| {
            let ingest = &ingests[number % 2];
            async move { assert_eq!(ingest.webhook(body).await.status, 200) }
        });
    let ((), seen) = tokio::join!(posting, follow_and_kill(&mut raven, &tenant, &mut rng));
    assert_eq!(seen, (0..EVENTS).collect::<HashSet<_>>());

    tenant.drained().await;
    agree(&tenant, &model).await;
}

/// Messages of two recipients each, about whom the stand-in tells nothing.
async fn copies(tenant: &Tenant) -> Vec<Copy> {
    let send = |number: usize| async move {
        let to = [format!("silent+a{number}@example.com"), format!("silent+b{number}@example.com")];
        let id = tenant.send(&json!({"to": to, "subject": "s", "bodyText": "t"})).await;
        let message = tenant.settled(&id, "sent").await;
        [Copy::of(&message, 0), Copy::of(&message, 1)]
    };
    let pairs: Vec<[Copy; 2]> =
        stream::iter(0..MESSAGES).map(send).buffer_unordered(REQUESTS).collect().await;
    pairs.into_iter().flatten().collect()
}

/// Events in the order of their numbers, each of a second of its own, and what the model makes of them.
fn events(copies: &[Copy], rng: &mut Rng) -> (Vec<Value>, Model) {
    let mut model: Model =
        copies.iter().map(|copy| ((copy.custom_id.clone(), copy.email.clone()), Fate::default())).collect();
    let mut events = Vec::new();
    for (number, second) in (0..EVENTS).zip(0..) {
        let copy = &copies[rng.usize(..copies.len())];
        let weight = draw(rng);
        let mut event = (KINDS[weight].make)(copy, second);
        event["Payload"] = json!(number.to_string());
        events.push(event);
        let fate = model.get_mut(&(copy.custom_id.clone(), copy.email.clone())).expect("a copy");
        fate.weight = fate.weight.max(weight);
        fate.reason = fate.reason.max(KINDS[weight].reason);
    }
    (events, model)
}

/// A kind, by their shares.
fn draw(rng: &mut Rng) -> usize {
    let mut ticket = rng.usize(..100_000);
    for (place, kind) in KINDS.iter().enumerate() {
        if ticket < kind.share {
            return place;
        }
        ticket -= kind.share;
    }
    0
}

/// All events and their repeats, shuffled, in groups of any size; some alone as Version 1 sends them.
fn bodies(events: &[Value], rng: &mut Rng) -> Vec<String> {
    let mut items: Vec<&Value> = events.iter().collect();
    for _ in 0..events.len() * REPEATS / 100 {
        items.push(&events[rng.usize(..events.len())]);
    }
    rng.shuffle(&mut items);
    let mut bodies = Vec::new();
    let mut rest = &items[..];
    while !rest.is_empty() {
        let size = if rng.u8(..4) == 0 { 1 } else { rng.usize(1..=300) };
        let (group, others) = rest.split_at(size.min(rest.len()));
        bodies.push(if size == 1 { group[0].to_string() } else { json!(group).to_string() });
        rest = others;
    }
    bodies
}

/// Reads the feed while it grows, and kills a worker from time to time; answers the numbers of the events.
async fn follow_and_kill(raven: &mut Raven, tenant: &Tenant, rng: &mut Rng) -> HashSet<usize> {
    let (mut seen, mut after, mut deaths) = (HashSet::new(), String::from("0"), 0);
    let mut living: Vec<usize> = (0..raven.workers.len()).collect();
    let mut progress = Instant::now();
    while seen.len() < EVENTS {
        let (page, next) = tenant.feed(&format!("limit=500&after={after}")).await;
        for event in &page {
            let number =
                event["raw"]["Payload"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            assert!(seen.insert(number), "event {number} came twice");
        }
        if let Some(next) = next {
            after = next;
            progress = Instant::now();
        }
        assert!(progress.elapsed() < DEADLINE, "{} of {EVENTS} events, and no more come", seen.len());
        if deaths < DEATHS && seen.len() > EVENTS / (DEATHS + 1) * (deaths + 1) {
            let victim = living.swap_remove(rng.usize(..living.len()));
            raven.workers[victim].kill();
            raven.start_worker_with(&LANES).await;
            living.push(raven.workers.len() - 1);
            deaths += 1;
        }
    }
    seen
}

/// Statuses of messages and recipients, and suppressions, are those of the model.
async fn agree(tenant: &Tenant, model: &Model) {
    let mut messages: BTreeMap<&str, usize> = BTreeMap::new();
    for ((message, email), fate) in model {
        let worst = messages.entry(message).or_default();
        *worst = (*worst).max(fate.weight);
        let reason = fate.reason.map(|(_, reason)| reason.to_owned());
        assert_eq!(tenant.suppression(email).await, reason, "{email}");
    }
    for (id, weight) in messages {
        let message = tenant.message(id).await;
        assert_eq!(message["status"], KINDS[weight].status, "{message}");
        for recipient in message["recipients"].as_array().expect("recipients") {
            let email = recipient["email"].as_str().expect("an address");
            let fate = &model[&(id.to_owned(), email.to_owned())];
            assert_eq!(recipient["status"], KINDS[fate.weight].status, "{email} of {message}");
        }
    }
}

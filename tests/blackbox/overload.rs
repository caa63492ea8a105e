//! RabbitMQ is slower than the load: what cannot be taken is refused early and takes no memory, and what is answered 200
//! is answered soon and sent once.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use crate::harness::{Raven, Tenant, http::Reply, plain};

/// Bytes a second that reach RabbitMQ: some 35 of the messages below.
const NARROW: u32 = 60_000;
/// Messages a second, five times as many.
const LOAD: u32 = 180;
/// How long they come.
const LONG: Duration = Duration::from_secs(12);
/// Set at ingest; what nobody confirms in this time is refused.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);
/// What a busy machine may add to the time of an answer.
const SLACK: Duration = Duration::from_secs(10);
/// What ingest may take for the bodies of callers and their answers, far less than the load amounts to in that time.
const MEMORY: u64 = 64 * 1024 * 1024;

/// A message of 1.3 kB on its way.
fn message(number: u32) -> Value {
    let mut message = plain(&format!("silent+{number}@example.com"));
    message["bodyText"] = json!("x".repeat(1000));
    message
}

/// An answer, and how long it took.
type Answered = (Reply, Duration);

/// Sends at an even pace, whatever is answered.
async fn press(tenant: &Tenant) -> Vec<Answered> {
    let (mut requests, mut answers) = (JoinSet::new(), Vec::new());
    let mut pace = interval(Duration::from_secs(1) / LOAD);
    let started = Instant::now();
    for number in 0.. {
        pace.tick().await;
        if started.elapsed() > LONG {
            break;
        }
        let tenant = tenant.clone();
        requests.spawn(async move {
            let began = Instant::now();
            let reply = tenant.post("/v1/messages", &message(number)).await;
            (reply, began.elapsed())
        });
        while let Some(answer) = requests.try_join_next() {
            answers.push(answer.expect("an answer"));
        }
    }
    answers.extend(requests.join_all().await);
    answers
}

/// The time within which so many of a hundred were answered.
fn percentile(answers: &[&Answered], of_hundred: usize) -> Duration {
    let mut times: Vec<Duration> = answers.iter().map(|(_, took)| *took).collect();
    times.sort_unstable();
    times
        .get((times.len() * of_hundred / 100).min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_broker_sheds_load_early_and_loses_nothing() {
    let mut raven = Raven::without_worker("a_slow_broker_sheds_load_early_and_loses_nothing").await;
    let tenant = raven.tenant().await;
    tenant.send(&message(0)).await;
    let before = raven.ingest.forget_peak();
    raven.proxies.rabbitmq.throttle(NARROW);
    let answers = press(&tenant).await;
    let grown = raven.ingest.peak().saturating_sub(before);
    raven.proxies.rabbitmq.heal();

    let (accepted, refused): (Vec<&Answered>, Vec<&Answered>) =
        answers.iter().partition(|(reply, _)| reply.status == 200);
    for (reply, _) in &refused {
        reply.problem(503, "queue_unavailable");
        assert!(reply.header("Retry-After").parse::<u32>().is_ok(), "{reply:?}");
    }
    // Those that waited in vain for the whole time.
    let late = refused.iter().filter(|(reply, _)| reply.text.contains("did not confirm in time")).count();
    println!(
        "{} accepted (p50 {:?}, p99 {:?}), {} refused (p50 {:?}, p99 {:?}), of these {late} late; {} MB more memory",
        accepted.len(),
        percentile(&accepted, 50),
        percentile(&accepted, 99),
        refused.len(),
        percentile(&refused, 50),
        percentile(&refused, 99),
        grown / 1_000_000,
    );
    assert!(late * 2 < accepted.len(), "{late} waited in vain, {} were accepted", accepted.len());
    assert!(refused.len() > accepted.len(), "the load was no overload");
    assert!(grown < MEMORY, "{grown} bytes more");
    let slowest = answers.iter().map(|(_, took)| *took).max().expect("answers");
    assert!(slowest < PUBLISH_TIMEOUT + SLACK, "{slowest:?}");

    raven.start_worker().await;
    let mut copies: HashMap<String, u32> = HashMap::new();
    for (reply, _) in &accepted {
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        tenant.settled(&id, "sent").await;
        copies.insert(id, 0);
    }
    for message in raven.sim.messages().await {
        if let Some(count) = message["customId"].as_str().and_then(|id| copies.get_mut(id)) {
            *count += 1;
        }
    }
    assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

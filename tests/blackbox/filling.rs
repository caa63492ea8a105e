//! Calls are filled: few of them for many messages, and none above Mailjet's limit of 50 recipients.

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Raven, ledger::accepted_once, plain, servers::seed};

/// Mailjet with the latency of a network between.
fn distant() -> [(&'static str, String); 1] {
    [("MAILJET_SIM_LATENCY", "50ms".to_owned())]
}

/// What it took.
async fn report(raven: &Raven, messages: usize, start: Instant) -> u64 {
    let calls = raven.sim.stat("calls").await;
    let most = raven.sim.stat("mostRecipients").await;
    let at_once = raven.sim.stat("mostOpenCalls").await;
    println!(
        "{messages} messages in {calls} calls of at most {most} recipients, at most {at_once} at once, in {:?}",
        start.elapsed()
    );
    assert!(most <= 50, "a call had {most} recipients");
    assert_eq!((raven.sim.stat("refusedCalls").await, raven.sim.stat("duplicates").await), (0, 0));
    calls
}

#[tokio::test]
async fn five_thousand_messages_take_few_calls() {
    let mut raven = Raven::with_sim("five_thousand_messages_take_few_calls", &distant()).await;
    let tenant = raven.tenant().await;
    let mut ids = Vec::new();
    for batch in 0..10 {
        let messages: Vec<Value> =
            (0..500).map(|number| plain(&format!("silent+{batch}-{number}@example.com"))).collect();
        ids.extend(tenant.send_batch(&messages).await);
    }
    raven.start_worker().await;
    let start = Instant::now();
    accepted_once(&raven.sim, &ids).await;
    let calls = report(&raven, ids.len(), start).await;
    assert!(calls < 150, "{calls} calls");
}

#[tokio::test]
async fn mixed_sizes_stay_below_the_limit() {
    let mut raven = Raven::with_sim("mixed_sizes_stay_below_the_limit", &distant()).await;
    let tenant = raven.tenant().await;
    let seed = seed();
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let messages: Vec<Value> = (0..300).map(|number| mixed(number, &mut rng)).collect();
    let ids = tenant.send_batch(&messages).await;
    raven.start_worker().await;
    let start = Instant::now();
    accepted_once(&raven.sim, &ids).await;
    report(&raven, ids.len(), start).await;
    for (message, id) in messages.iter().zip(&ids) {
        let copy = raven.sim.only_copy(id).await;
        let all =
            |value: &Value| ["to", "cc", "bcc"].map(|list| value[list].as_array().expect("a list").len());
        assert_eq!(all(&copy), all(message), "{copy}");
    }
}

/// A message to 1 to 50 recipients, somehow spread over its lists; small ones are as frequent as large ones are.
fn mixed(number: usize, rng: &mut Rng) -> Value {
    let most = [3, 12, 50][rng.usize(..3)];
    let mut lists: [Vec<String>; 3] = Default::default();
    for place in 0..rng.usize(1..=most) {
        let list = if place == 0 { 0 } else { rng.usize(..3) };
        lists[list].push(format!("silent+{number}-{place}@example.com"));
    }
    let [to, cc, bcc] = lists;
    json!({"to": to, "cc": cc, "bcc": bcc, "subject": "Mixed", "bodyText": "Hello there."})
}

#[tokio::test]
async fn tenants_that_send_in_turn_have_full_calls() {
    let mut raven = Raven::with_sim("tenants_that_send_in_turn_have_full_calls", &distant()).await;
    let tenants = [raven.tenant().await, raven.tenant().await, raven.tenant().await];
    let mut ids = Vec::new();
    for turn in 0..50 {
        for tenant in &tenants {
            let messages: Vec<Value> =
                (0..10).map(|number| plain(&format!("silent+{turn}-{number}@example.com"))).collect();
            ids.extend(tenant.send_batch(&messages).await);
        }
    }
    raven.start_worker().await;
    let start = Instant::now();
    accepted_once(&raven.sim, &ids).await;
    let calls = report(&raven, ids.len(), start).await;
    assert!(calls <= ids.len() as u64 / 25, "{calls} calls hold fewer than 25 messages on average");
}

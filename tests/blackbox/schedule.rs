//! Messages that wait for their time.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Raven, ledger::accepted_once, plain};

fn accepted_at(mail: &Value) -> Timestamp {
    mail["acceptedAt"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time() {
    let raven = Raven::start("a_scheduled_message_waits_for_its_time").await;
    let tenant = raven.tenant().await;
    let mut later = plain("ann@example.com");
    later["scheduledAt"] = json!("2099-01-01T00:00:00Z");
    tenant.post("/v1/messages", &later).await.problem(422, "validation_failed");
    let due = Timestamp::now() + SignedDuration::from_secs(2);
    later["scheduledAt"] = json!(due);
    let answer = tenant.post("/v1/messages", &later).await.expect(200);
    assert_eq!(answer["status"], "scheduled");
    let id = answer["id"].as_str().unwrap();
    let message = tenant.settled(id, "delivered").await;
    assert!(message["scheduledAt"].is_string(), "{message}");
    let accepted = accepted_at(&raven.sim.only_copy(id).await);
    println!("{} late", accepted - due);
    assert!(accepted >= due, "{accepted} is before {due}");
}

#[tokio::test]
async fn what_is_due_in_the_same_second_goes_once() {
    let mut raven = Raven::start("what_is_due_in_the_same_second_goes_once").await;
    raven.start_worker().await;
    let tenants = [raven.tenant().await, raven.tenant().await];
    let due = Timestamp::now() + SignedDuration::from_secs(3);
    let mut ids = Vec::new();
    for tenant in &tenants {
        let scheduled = |number| {
            let mut message = plain(&format!("silent+{number}@example.com"));
            message["scheduledAt"] = json!(due);
            message
        };
        ids.extend(tenant.send_batch(&(0..100).map(scheduled).collect::<Vec<_>>()).await);
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 200);
    accepted_once(&raven.sim, &ids).await;
    let times: Vec<Timestamp> = raven.sim.messages().await.iter().map(accepted_at).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    let calls = raven.sim.stat("calls").await;
    println!("200 messages in {calls} calls, the first {} late and the last {}", *first - due, *last - due);
    assert!(*first >= due, "{first} is before {due}");
}

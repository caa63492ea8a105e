//! Workers that die or leave in the middle lose nothing and send nothing twice.

use futures_util::future::join_all;

use crate::harness::{Raven, Tenant, wait::until};

async fn send_many(tenant: &Tenant, count: usize) -> Vec<String> {
    join_all((0..count).map(async |number| tenant.send_to(&format!("r{number}@example.com")).await)).await
}

/// Every message was delivered, once.
async fn all_arrive(raven: &Raven, tenant: &Tenant, ids: &[String]) {
    for id in ids {
        tenant.settled(id, "delivered").await;
        raven.sim.only_copy(id).await;
    }
    assert_eq!(raven.sim.stat("duplicates").await, 0);
    assert_eq!(raven.sim.messages().await.len(), ids.len());
}

#[tokio::test]
async fn a_worker_dies_between_call_and_answer() {
    let mut raven = Raven::start("a_worker_dies_between_call_and_answer").await;
    let tenant = raven.tenant().await;
    // Mailjet accepts at once and answers late: the worker dies without the answer.
    raven.sim.fault("delay", None, 1_500).await;
    let ids = send_many(&tenant, 30).await;
    let accepted = async || raven.sim.stat("acceptedMessages").await;
    until("Mailjet to have accepted something", accepted, |count| *count > 0).await;
    raven.workers[0].kill();
    raven.sim.heal().await;
    raven.start_worker().await;
    all_arrive(&raven, &tenant, &ids).await;
}

#[tokio::test]
async fn workers_die_again_and_again() {
    let mut raven = Raven::start("workers_die_again_and_again").await;
    let tenant = raven.tenant().await;
    raven.start_worker().await;
    let mut ids = Vec::new();
    for round in 0..3 {
        ids.extend(send_many(&tenant, 40).await);
        raven.workers[round].kill();
        raven.start_worker().await;
    }
    all_arrive(&raven, &tenant, &ids).await;
}

#[tokio::test]
async fn events_survive_their_worker() {
    let mut raven = Raven::without_worker("events_survive_their_worker").await;
    let tenant = raven.tenant().await;
    let complaint = |number: usize| {
        let email = format!("r{number}@example.com");
        serde_json::json!({"event": "spam", "time": 1_767_225_600, "MessageID": 5, "email": email})
    };
    for number in 0..50 {
        tenant.tell(&[complaint(number)]).await;
    }
    raven.start_worker().await;
    raven.workers[0].kill();
    raven.start_worker().await;
    for number in 0..50 {
        let email = format!("r{number}@example.com");
        until("the suppression", async || tenant.suppression(&email).await, Option::is_some).await;
    }
}

#[tokio::test]
async fn a_worker_that_is_asked_to_leave_finishes() {
    let mut raven = Raven::start("a_worker_that_is_asked_to_leave_finishes").await;
    let tenant = raven.tenant().await;
    raven.sim.fault("delay", None, 300).await;
    let ids = send_many(&tenant, 30).await;
    let accepted = async || raven.sim.stat("acceptedMessages").await;
    until("Mailjet to have accepted something", accepted, |count| *count > 0).await;
    assert_eq!(raven.workers[0].terminate().await.code(), Some(0));
    raven.start_worker().await;
    all_arrive(&raven, &tenant, &ids).await;
    for id in &ids {
        assert_eq!(tenant.message(id).await["attempts"], 1, "nothing was left uncertain");
    }
}

#[tokio::test]
async fn services_end_in_order_on_sigterm() {
    let mut raven = Raven::start("services_end_in_order_on_sigterm").await;
    let tenant = raven.tenant().await;
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    assert_eq!(raven.ingest.terminate().await.code(), Some(0));
    assert_eq!(raven.workers[0].terminate().await.code(), Some(0));
}

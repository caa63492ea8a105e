//! Workers that die or leave in the middle lose nothing and send nothing twice.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Raven, Tenant,
    ledger::{Ledger, Posted},
    plain,
    wait::until,
};

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
        json!({"event": "spam", "time": 1_767_225_600, "MessageID": 5, "email": email})
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
async fn a_worker_leaves_a_backlog_in_order() {
    let sim = [("MAILJET_SIM_LATENCY", "200ms".to_owned())];
    let mut raven = Raven::with_sim("a_worker_leaves_a_backlog_in_order", &sim).await;
    let tenant = raven.tenant().await;
    let mut posted = Vec::new();
    for batch in 0..8 {
        let messages: Vec<Value> =
            (0..500).map(|number| plain(&format!("silent+{batch}-{number}@example.com"))).collect();
        let ids = tenant.send_batch(&messages).await;
        posted.extend(ids.into_iter().map(|id| Posted { tenant: tenant.clone(), id, sandbox: false }));
    }
    raven.start_worker().await;
    let begun = async || (raven.sim.stat("acceptedMessages").await, raven.sim.stat("openCalls").await);
    until("calls in flight", begun, |(accepted, open)| *accepted >= 200 && *open > 0).await;
    assert_eq!(raven.workers[0].terminate().await.code(), Some(0));

    // Nobody works now, so what is read is how it was left.
    assert_eq!(raven.sim.stat("openCalls").await, 0, "no call was left without its answer");
    let accepted = raven.sim.stat("acceptedMessages").await;
    let left = readings(&posted).await;
    let in_status = |status: &str| left.iter().filter(|one| one["status"] == status).count();
    println!("left: {accepted} sent, {} queued, {} in the queue", in_status("queued"), in_status(""));
    assert_eq!(in_status("sending"), 0, "nothing is left uncertain");
    assert_eq!(in_status("sent") as u64, accepted, "every call in flight was recorded");
    assert!(in_status("sent") < posted.len(), "there was a backlog");
    for one in left.iter().filter(|one| one["status"] == "queued") {
        assert_eq!(one["attempts"], 0, "a claim without a call is no attempt: {one}");
    }

    raven.start_worker().await;
    let ledger = Ledger::of(&raven, &posted).await;
    println!("{ledger}");
    ledger.assert_true();
    assert_eq!(ledger.sent, posted.len());
    let attempts = readings(&posted).await;
    assert!(attempts.iter().all(|one| one["attempts"] == 1), "and none that was made");
}

/// Each message as it is; without a status where no worker has stored it.
async fn readings(posted: &[Posted]) -> Vec<Value> {
    let read = async |one: &Posted| {
        let reply = one.tenant.get(&format!("/v1/messages/{}", one.id)).await;
        if reply.status == 404 { json!({"status": ""}) } else { reply.expect(200) }
    };
    let mut all = Vec::new();
    for some in posted.chunks(16) {
        all.extend(join_all(some.iter().map(read)).await);
    }
    all
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

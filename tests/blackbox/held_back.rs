//! Messages that wait because their account takes none: what is shown of them, and what may be done with them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, http, http::Reply, wait::until};

async fn act(tenant: &Tenant, id: &str, what: &str) -> Reply {
    http::send(tenant.request(Method::POST, &format!("/v1/messages/{id}/{what}"))).await
}

fn attempts(message: &Value) -> u64 {
    message["attempts"].as_u64().unwrap_or_else(|| panic!("no number: {message}"))
}

/// Has the account refused until its calls pause for long; answers what was sent meanwhile. The pauses double: after
/// five refusals there is one of four seconds at least, and after four one of two.
async fn refused(raven: &Raven, tenant: &Tenant, times: u64) -> Vec<String> {
    raven.sim.order(&json!({"kind": "unauthorized", "account": tenant.account.0})).await;
    let mut ids = Vec::new();
    let struck = async || {
        ids.push(tenant.send_to(&format!("silent+{}@example.com", ids.len())).await);
        raven.sim.faults().await["data"][0]["struck"].as_u64().expect("a number")
    };
    until("a long pause", struck, |struck| *struck >= times).await;
    ids
}

/// Sends some that are never tried, as the account pauses.
async fn held(tenant: &Tenant, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(tenant.send_to(&format!("silent+held-{number}@example.com")).await);
    }
    ids
}

#[tokio::test]
async fn what_is_held_back_is_withdrawn_and_never_sent() {
    let raven = Raven::start("what_is_held_back_is_withdrawn_and_never_sent").await;
    let tenant = raven.tenant().await;
    let tried = refused(&raven, &tenant, 4).await;
    let held = held(&tenant, 8).await;
    let (canceled, kept) = held.split_at(4);
    for id in canceled {
        let read = async || tenant.get(&format!("/v1/messages/{id}")).await.json();
        let message =
            until("a message that is held back", read, |message| message["status"] == "queued").await;
        assert_eq!((attempts(&message), &message["error"]["code"]), (0, &json!("held_back")), "{message}");
        assert!(message["error"]["message"].as_str().unwrap().contains("unauthorized"), "{message}");
        let answer = act(&tenant, id, "cancel").await.expect(200);
        assert_eq!((attempts(&answer), &answer["status"]), (0, &json!("canceled")), "{answer}");
    }
    let first = tenant.settled(&tried[0], "queued").await;
    assert!(attempts(&first) >= 1, "{first}");
    assert!(["held_back", "unauthorized"].iter().any(|code| first["error"]["code"] == *code), "{first}");

    raven.sim.heal().await;
    for id in tried.iter().chain(kept) {
        let message = tenant.settled(id, "sent").await;
        assert!(message["error"].is_null() && attempts(&message) >= 1, "{message}");
        raven.sim.only_copy(id).await;
    }
    assert!(kept.iter().all(|id| !tried.contains(id)));
    let last = tenant.send_to("silent+last@example.com").await;
    tenant.settled(&last, "sent").await;
    for id in canceled {
        assert!(raven.sim.copies(id).await.is_empty());
        assert_eq!(tenant.message(id).await["status"], "canceled");
    }
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

/// Each of these has failed for this reason; answers how often each was tried.
async fn failed(tenant: &Tenant, ids: &[String], code: &str) -> Vec<u64> {
    let mut all = Vec::new();
    for id in ids {
        let message = tenant.settled(id, "failed").await;
        assert_eq!(message["error"]["code"], code, "{message}");
        assert_eq!(message["recipients"][0]["status"], "failed", "{message}");
        all.push(attempts(&message));
    }
    all
}

/// All of them go out once when somebody asks for it, and the worker knows the account.
async fn tried_again(raven: &Raven, tenant: &Tenant, ids: &[String], before: &[u64]) {
    tenant.set_provider().await;
    let accepted = async || {
        tenant.send_to("silent@example.com").await;
        raven.sim.stat("acceptedMessages").await
    };
    until("the account to be used", accepted, |accepted| *accepted > 0).await;
    for id in ids {
        let answer = act(tenant, id, "retry").await.expect(200);
        assert!(answer["error"].is_null(), "{answer}");
    }
    for (id, before) in ids.iter().zip(before) {
        let message = tenant.settled(id, "sent").await;
        assert!(message["error"].is_null(), "{message}");
        assert_eq!(attempts(&message), before + 1, "{message}");
        raven.sim.only_copy(id).await;
    }
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

#[tokio::test]
async fn what_is_held_back_too_long_fails_for_the_true_reason() {
    let mut raven = Raven::without_worker("what_is_held_back_too_long_fails_for_the_true_reason").await;
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "2s")]).await;
    let tenant = raven.tenant().await;
    let mut ids = refused(&raven, &tenant, 5).await;
    let held = held(&tenant, 8).await;
    let late = failed(&tenant, &held, "unauthorized").await;
    ids.extend(held);
    let before = failed(&tenant, &ids, "unauthorized").await;
    println!("attempts of those that were held back: {late:?}, and of all: {before:?}");
    // A pause is no refusal: each has its one try after it, or is one of those for which the time was over by then.
    assert!(late.iter().all(|attempts| *attempts <= 1), "{late:?}");
    assert!(before.iter().any(|attempts| *attempts > 0));
    assert!(raven.sim.messages().await.is_empty());

    raven.sim.heal().await;
    tried_again(&raven, &tenant, &ids, &before).await;
}

#[tokio::test]
async fn what_has_no_account_fails_for_the_true_reason() {
    let mut raven = Raven::without_worker("what_has_no_account_fails_for_the_true_reason").await;
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "2s")]).await;
    let tenant = raven.bare_tenant().await;
    let ids = held(&tenant, 5).await;
    let waiting = tenant.settled(&ids[0], "queued").await;
    assert_eq!((attempts(&waiting), &waiting["error"]["code"]), (0, &json!("provider_missing")), "{waiting}");
    let before = failed(&tenant, &ids, "provider_missing").await;
    assert_eq!(before, [0; 5]);
    tried_again(&raven, &tenant, &ids, &before).await;
}

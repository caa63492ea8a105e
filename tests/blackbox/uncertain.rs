//! Calls of which it is not known whether Mailjet heard them, and calls that certainly failed: one copy, always.

use serde_json::json;

use crate::harness::{Raven, wait::until};

/// Sends one message while Mailjet does something wrong, and waits until it is sent. Nothing tells of the message
/// but the answer and the look-up.
async fn one_copy(name: &str, faults: &[(&str, Option<u64>, u64)]) -> u64 {
    let raven = Raven::start(name).await;
    let tenant = raven.tenant().await;
    for (kind, count, delay) in faults {
        raven.sim.fault(kind, *count, *delay).await;
    }
    let id = tenant.send_to("silent+one@example.com").await;
    let read = async || tenant.get(&format!("/v1/messages/{id}")).await.json();
    let fate = |message: &serde_json::Value| ["sent", "failed"].iter().any(|fate| message["status"] == *fate);
    let message = until("the message's fate", read, fate).await;
    assert_eq!(message["status"], "sent", "{message}");
    assert!(message["error"].is_null(), "{message}");
    let copy = raven.sim.only_copy(&id).await;
    assert_eq!(message["recipients"][0]["providerMessageId"], copy["recipients"][0]["messageId"]);
    assert_eq!(message["recipients"][0]["providerMessageUuid"], copy["recipients"][0]["messageUuid"]);
    message["attempts"].as_u64().unwrap()
}

#[tokio::test]
async fn an_answer_that_is_lost() {
    let attempts = one_copy("an_answer_that_is_lost", &[("drop_after_accept", Some(1), 0)]).await;
    assert_eq!(attempts, 1, "asked, not sent again");
}

#[tokio::test]
async fn an_answer_that_is_late() {
    let attempts = one_copy("an_answer_that_is_late", &[("delay", Some(1), 4_000)]).await;
    assert_eq!(attempts, 1, "asked, not sent again");
}

#[tokio::test]
async fn an_answer_that_is_cut_short() {
    let attempts = one_copy("an_answer_that_is_cut_short", &[("garbage", Some(1), 0)]).await;
    assert_eq!(attempts, 1, "asked, not sent again");
}

#[tokio::test]
async fn a_look_up_that_fails_or_lags() {
    let faults =
        [("drop_after_accept", Some(1), 0), ("lookup_error", Some(2), 0), ("lookup_lag", None, 2_500)];
    let attempts = one_copy("a_look_up_that_fails_or_lags", &faults).await;
    assert_eq!(attempts, 1, "asked, not sent again");
}

#[tokio::test]
async fn a_request_that_is_lost() {
    let attempts = one_copy("a_request_that_is_lost", &[("drop_before", Some(1), 0)]).await;
    assert_eq!(attempts, 2, "sent again once Mailjet has not heard of it");
}

#[tokio::test]
async fn a_server_error() {
    let attempts = one_copy("a_server_error", &[("server_error", Some(1), 0)]).await;
    assert_eq!(attempts, 2);
}

#[tokio::test]
async fn too_many_calls() {
    let attempts = one_copy("too_many_calls", &[("rate_limit", Some(3), 0)]).await;
    assert_eq!(attempts, 4, "429 is no uncertainty: tried again at once");
}

#[tokio::test]
async fn credentials_refused_for_a_while() {
    one_copy("credentials_refused_for_a_while", &[("unauthorized", Some(2), 0)]).await;
}

#[tokio::test]
async fn an_event_proves_what_the_answer_did_not_say() {
    let raven = Raven::start("an_event_proves_what_the_answer_did_not_say").await;
    let tenant = raven.tenant().await;
    raven.sim.fault("drop_after_accept", Some(1), 0).await;
    raven.sim.fault("lookup_error", None, 0).await;
    let id = tenant.send_to("ann@example.com").await;
    let message = tenant.settled(&id, "delivered").await;
    assert_eq!(message["attempts"], 1);
    raven.sim.heal().await;
    let last = tenant.send_to("bob@example.com").await;
    tenant.settled(&last, "delivered").await;
    raven.sim.only_copy(&id).await;
}

/// The new account truthfully says that it has never heard of the message, which the old one has taken on.
#[tokio::test]
async fn an_account_that_was_changed_is_not_taken_at_its_word() {
    let mut raven = Raven::without_worker("an_account_that_was_changed_is_not_taken_at_its_word").await;
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "8s")]).await;
    let mut tenant = raven.tenant().await;
    raven.sim.fault("drop_after_accept", Some(1), 0).await;
    let id = tenant.send_to("silent+one@example.com").await;
    until("the call", async || raven.sim.copies(&id).await, |copies| !copies.is_empty()).await;
    raven.workers[0].kill();
    tenant.account = ("another-key".to_owned(), "another-secret".to_owned());
    tenant.set_provider().await;
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "8s")]).await;
    let message = tenant.settled(&id, "failed").await;
    assert_eq!(
        (&message["error"]["code"], &message["attempts"]),
        (&json!("outcome_unknown"), &json!(1)),
        "{message}"
    );
    assert!(
        message["error"]["message"].as_str().is_some_and(|words| words.contains("account was changed")),
        "{message}"
    );
    raven.sim.only_copy(&id).await;
    // What is sent from now on goes out with the new account.
    let next = tenant.send_to("silent+two@example.com").await;
    tenant.settled(&next, "sent").await;
}

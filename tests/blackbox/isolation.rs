//! What is wrong with one message, tenant or queue entry hurts nobody else.

use serde_json::json;

use crate::harness::{Raven, plain, wait::until};

#[tokio::test]
async fn one_refused_message_fails_alone() {
    let mut raven = Raven::without_worker("one_refused_message_fails_alone").await;
    let tenant = raven.tenant().await;
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for number in 0..12 {
        let mut message = plain(&format!("r{number}@example.com"));
        if number % 5 == 3 {
            message["from"] = json!("unverified@shop.example");
            bad.push(tenant.send(&message).await);
        } else {
            good.push(tenant.send(&message).await);
        }
    }
    raven.start_worker().await;
    for id in &bad {
        let message = tenant.settled(id, "failed").await;
        assert_eq!(message["error"]["code"], "send-0008", "{message}");
        let words = message["error"]["message"].as_str().unwrap();
        assert!(words.contains("not an authorized sender"), "{words}");
        assert_eq!(
            (&message["attempts"], &message["recipients"][0]["status"]),
            (&json!(1), &json!("failed"))
        );
        assert!(raven.sim.copies(id).await.is_empty());
    }
    for id in &good {
        let message = tenant.settled(id, "delivered").await;
        assert_eq!((&message["attempts"], &message["error"]), (&json!(1), &json!(null)));
        raven.sim.only_copy(id).await;
    }
}

#[tokio::test]
async fn a_tenant_without_a_provider_fails_alone() {
    let mut raven = Raven::without_worker("a_tenant_without_a_provider_fails_alone").await;
    let (bare, tenant) = (raven.bare_tenant().await, raven.tenant().await);
    let theirs = bare.send_to("ann@example.com").await;
    let ours = tenant.send_to("ann@example.com").await;
    raven.start_worker().await;
    tenant.settled(&ours, "delivered").await;
    let read = async || bare.get(&format!("/v1/messages/{theirs}")).await;
    let stored = until("the message", read, |reply| reply.status == 200).await.json();
    let waiting = ["queued", "sending", "failed"].iter().any(|status| stored["status"] == *status);
    assert!(waiting, "{stored}");
    assert!(raven.sim.copies(&theirs).await.is_empty());
}

#[tokio::test]
async fn a_message_that_never_finds_an_account_fails_in_time_and_can_be_sent_later() {
    let mut raven =
        Raven::without_worker("a_message_that_never_finds_an_account_fails_in_time_and_can_be_sent_later")
            .await;
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "1s")]).await;
    let bare = raven.bare_tenant().await;
    let id = bare.send_to("silent@example.com").await;
    let message = bare.settled(&id, "failed").await;
    assert_eq!(message["error"]["code"], "provider_missing", "{message}");
    bare.set_provider().await;
    bare.post(&format!("/v1/messages/{id}/retry"), &json!({})).await.expect(200);
    let message = bare.settled(&id, "sent").await;
    assert!(message["error"].is_null(), "{message}");
    raven.sim.only_copy(&id).await;
}

#[tokio::test]
async fn a_test_key_sends_in_the_sandbox() {
    let mut raven = Raven::without_worker("a_test_key_sends_in_the_sandbox").await;
    let tenant = raven.tenant().await;
    let made = raven.cli(&["key", "create", "--tenant", &tenant.id, "--test", "--json"], "").await.json();
    let key = made["apiKey"].as_str().unwrap();
    assert!(key.starts_with("rk_test_"), "{made}");
    raven.guard(key);
    let test = tenant.with_key(key).send_to("bounce@example.com").await;
    let live = tenant.send_to("ann@example.com").await;
    raven.start_worker().await;
    let message = tenant.settled(&test, "sent").await;
    assert_eq!(message["providerMessageId"], json!(null));
    let recipient = &message["recipients"][0];
    assert_eq!((&recipient["status"], &recipient["providerMessageId"]), (&json!("sent"), &json!(null)));
    assert_eq!(recipient["providerMessageUuid"], json!(null));
    assert!(raven.sim.copies(&test).await.iter().all(|copy| copy["sandbox"] == true));
    tenant.settled(&live, "delivered").await;
    assert_eq!(raven.sim.only_copy(&live).await["sandbox"], false);
    assert!(tenant.events(&test).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_with_a_reason() {
    let mut raven = Raven::start("what_cannot_be_read_is_put_aside_with_a_reason").await;
    raven.dead_letters_expected = true;
    let tenant = raven.tenant().await;
    raven.vhost.publish("send", "no message of ours").await;
    raven.vhost.publish("event", "no webhook of ours").await;
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    let parked = async || raven.vhost.waiting("dead-letters").await;
    let parked = until("both to be put aside", parked, |letters| letters.len() == 2).await;
    for letter in &parked {
        let payload = letter["payload"].as_str().unwrap();
        assert!(payload.ends_with("of ours"), "to the letter: {letter}");
        let headers = letter["properties"]["headers"].to_string();
        assert!(headers.contains("reason"), "{headers}");
    }
    tenant.drained().await;
}

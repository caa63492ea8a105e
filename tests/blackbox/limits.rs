//! How often callers may call.

use serde_json::json;

use crate::harness::{Raven, Tenant, http::Reply, plain, wait::until};

/// The value of a header that counts.
#[track_caller]
pub(crate) fn number(reply: &Reply, name: &str) -> u64 {
    reply.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {reply:?}"))
}

/// Checks an answer that says it was too much, and how to go on.
#[track_caller]
pub(crate) fn too_much(reply: &Reply, limit: u64) {
    reply.problem(429, "rate_limited");
    assert!(number(reply, "retry-after") >= 1, "{reply:?}");
    assert_eq!(number(reply, "ratelimit-limit"), limit, "{reply:?}");
    assert_eq!(number(reply, "ratelimit-remaining"), 0, "{reply:?}");
    assert!(number(reply, "ratelimit-reset") >= number(reply, "retry-after"), "{reply:?}");
}

async fn send(tenant: &Tenant) -> Reply {
    tenant.post("/v1/messages", &plain("ann@example.com")).await
}

#[tokio::test]
async fn who_sends_too_much_is_told_when_to_go_on() {
    let mut raven = Raven::without_worker("who_sends_too_much_is_told_when_to_go_on").await;
    let (tenant, other) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let limits = [("RAVEN_RATE_LIMIT_SENDS", "1/s burst 3"), ("RAVEN_RATE_LIMIT_REQUESTS", "off")];
    let url =
        raven.start_ingest_with(&[&limits[..], &[("RAVEN_RATE_LIMIT_KEY_REQUESTS", "off")]].concat()).await;
    let (tenant, other) = (tenant.at(&url), other.at(&url));
    let first = send(&tenant).await;
    first.expect(200);
    assert_eq!((number(&first, "ratelimit-limit"), number(&first, "ratelimit-remaining")), (3, 2));
    let refused = until("too much", async || send(&tenant).await, |reply| reply.status != 200).await;
    too_much(&refused, 3);
    send(&other).await.expect(200);
    let read = tenant.get("/v1/messages").await;
    read.expect(200);
    assert_eq!(read.header("ratelimit-limit"), "", "what is not limited does not count");
    for _ in 0..10 {
        assert_eq!(tenant.webhook("[]").await.status, 200, "webhooks are never limited");
    }
    until("room again", async || send(&tenant).await, |reply| reply.status == 200).await;
}

#[tokio::test]
async fn a_batch_counts_as_its_messages() {
    let mut raven = Raven::without_worker("a_batch_counts_as_its_messages").await;
    let tenant = raven.bare_tenant().await;
    let url = raven.start_ingest_with(&[("RAVEN_RATE_LIMIT_SENDS", "1/m burst 10")]).await;
    let tenant = tenant.at(&url);
    let batch = async |count: usize| {
        let messages = vec![plain("ann@example.com"); count];
        tenant.post("/v1/messages/batch", &json!({ "messages": messages })).await
    };
    let first = batch(6).await;
    first.expect(200);
    assert_eq!(number(&first, "ratelimit-remaining"), 4);
    let refused = batch(6).await;
    refused.problem(429, "rate_limited");
    assert_eq!(number(&refused, "ratelimit-remaining"), 4);
    assert!(number(&refused, "retry-after") > 60, "two more have to come back: {refused:?}");
    // Nothing of the refused batch was sent, and nothing was taken for it.
    let second = batch(4).await;
    second.expect(200);
    assert_eq!(number(&second, "ratelimit-remaining"), 0);
    for reply in [&send(&tenant).await, &batch(1).await] {
        too_much(reply, 10);
    }
    // More than fit at all take all there is, and what has faults counts as one.
    let other = raven.bare_tenant().await.at(&url);
    let messages = vec![plain("ann@example.com"); 11];
    let whole = other.post("/v1/messages/batch", &json!({ "messages": messages })).await;
    whole.expect(200);
    assert_eq!(number(&whole, "ratelimit-remaining"), 0);
    let third = raven.bare_tenant().await.at(&url);
    let faulty = third.post("/v1/messages/batch", &json!({"messages": []})).await;
    faulty.problem(422, "validation_failed");
    assert_eq!(number(&faulty, "ratelimit-remaining"), 9);
    let waiting = async || raven.vhost.waiting("sends").await.len();
    until("what was accepted, alone", waiting, |count| *count == 21).await;
}

#[tokio::test]
async fn keys_and_tenants_have_a_limit_each() {
    let mut raven = Raven::without_worker("keys_and_tenants_have_a_limit_each").await;
    let (tenant, other) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let made = raven.cli(&["key", "create", "--tenant", &tenant.id, "--json"], "").await.json();
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    let limits =
        [("RAVEN_RATE_LIMIT_REQUESTS", "1/h burst 5"), ("RAVEN_RATE_LIMIT_KEY_REQUESTS", "1/h burst 3")];
    let url = raven.start_ingest_with(&limits).await;
    let read = async |tenant: &Tenant| tenant.at(&url).get("/v1/suppressions").await;
    for _ in 0..3 {
        read(&tenant).await.expect(200);
    }
    for _ in 0..5 {
        too_much(&read(&tenant).await, 3);
    }
    let second = tenant.with_key(key);
    for left in [1, 0] {
        let reply = read(&second).await;
        reply.expect(200);
        assert_eq!(
            number(&reply, "ratelimit-remaining"),
            left,
            "what the first was refused, it did not use up"
        );
    }
    too_much(&read(&second).await, 5);
    read(&other).await.expect(200);
    send(&tenant.at(&url)).await.expect(200);
    tenant.get("/v1/suppressions").await.expect(200);
}

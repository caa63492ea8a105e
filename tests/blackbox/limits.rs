//! How often callers may call, and strangers may try.

use reqwest::{Method, Url, header::HeaderValue};
use serde_json::json;

use crate::harness::{
    Raven, Tenant,
    http::{self, Reply},
    plain,
    servers::seed,
    wait::until,
};

/// The value of a header that counts.
#[track_caller]
fn number(reply: &Reply, name: &str) -> u64 {
    reply.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {reply:?}"))
}

/// Checks an answer that says it was too much, and how to go on.
#[track_caller]
fn too_much(reply: &Reply, limit: u64) {
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

/// A key of the right form that nobody has.
fn made_up(number: u32) -> String {
    key_of(number, [7; 20])
}

/// A key as Raven makes them: the secret ends with its CRC-32, so that junk is found out without a look-up.
fn key_of(id: u32, secret: [u8; 20]) -> String {
    let mut crc = u32::MAX;
    for byte in secret {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let bytes = [&secret[..], &(!crc).to_be_bytes()].concat();
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let digits = digits.concat();
    format!("rk_live_{id:08x}_{digits}")
}

/// A request with this key, from this address as the proxy tells it.
async fn try_key(url: &Url, key: &str, from: &str) -> Reply {
    let request = http::client().get(url.join("/v1/suppressions").unwrap()).header("X-Raven-Key", key);
    http::send(request.header("X-Forwarded-For", from)).await
}

#[tokio::test]
async fn who_tries_keys_is_stopped_and_good_keys_are_served() {
    let mut raven = Raven::without_worker("who_tries_keys_is_stopped_and_good_keys_are_served").await;
    let (known, unknown) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let limit = ("RAVEN_RATE_LIMIT_FAILURES", "1/h burst 5");
    let url = raven.start_ingest_with(&[limit, ("RAVEN_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    try_key(&url, &known.key, "192.0.2.1").await.expect(200);
    for number in 0..5 {
        try_key(&url, &made_up(number), "192.0.2.1").await.problem(401, "unauthorized");
    }
    // Without Postgres, so that an answer says that nobody asked.
    raven.proxies.postgres.cut();
    for key in [&made_up(6), "junk", "", &unknown.key] {
        too_much(&try_key(&url, key, "192.0.2.1").await, 5);
    }
    try_key(&url, "junk", "192.0.2.2").await.problem(401, "unauthorized");
    raven.proxies.postgres.heal();
    let good = async || try_key(&url, &known.key, "192.0.2.1").await;
    until("the good key to be served", good, |reply| reply.status == 200).await;
    let elsewhere = async || try_key(&url, &unknown.key, "198.51.100.7, 192.0.2.2").await;
    until("the other good key to be served elsewhere", elsewhere, |reply| reply.status == 200).await;
    try_key(&url, &unknown.key, "192.0.2.1").await.expect(200);

    // Without the setting anyone could write that header, so the address is that of the connection.
    let url = raven.start_ingest_with(&[limit]).await;
    for number in 0..5 {
        let from = format!("192.0.2.{number}");
        try_key(&url, &made_up(number), &from).await.problem(401, "unauthorized");
    }
    too_much(&try_key(&url, &made_up(9), "192.0.2.9").await, 5);
    let off = raven.start_ingest_with(&[("RAVEN_RATE_LIMIT_FAILURES", "off")]).await;
    for number in 0..9 {
        try_key(&off, &made_up(number), "").await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_asked_for_twice() {
    let raven = Raven::without_worker("what_does_not_exist_is_not_asked_for_twice").await;
    let tenant = raven.bare_tenant().await;
    let stranger = "00000000-0000-4000-8000-000000000000";
    let webhook = async || {
        let path = format!("/v1/webhooks/email/mailjet/{stranger}");
        http::send(raven.request(Method::POST, &path).body("[]")).await
    };
    // A key of that id is made while it is known not to exist.
    let key = key_of(0x0a1b_2c3d, [9; 20]);
    try_key(&raven.url, &key, "").await.problem(401, "unauthorized");
    webhook().await.problem(404, "not_found");
    raven.guard(&key);
    let session = raven.database.session().await;
    let tenant_id: uuid::Uuid = tenant.id.parse().unwrap();
    let insert = "insert into api_keys (key_id, tenant_id, secret_hash, scope, test)
                  values ('0a1b2c3d', $1, sha256(convert_to($2, 'UTF8')), 'manage', false)";
    session.client.execute(insert, &[&tenant_id, &key]).await.unwrap();
    let first = async || try_key(&raven.url, &key, "").await;
    until("the new key to be known", first, |reply| reply.status == 200).await;

    // What is known not to exist is answered while Postgres is away, for some seconds; what is not known cannot be.
    let status = async |key: &str| try_key(&raven.url, key, "").await.status;
    let ask = async || {
        let key = made_up(fastrand::u32(..));
        until("Postgres to answer", async || status(&key).await, |status| *status == 401).await;
        raven.proxies.postgres.cut();
        let answers = (status(&key).await, status(&made_up(fastrand::u32(..))).await);
        raven.proxies.postgres.heal();
        answers
    };
    until("an answer without Postgres", ask, |answers| *answers == (401, 503)).await;
}

#[tokio::test]
async fn no_key_makes_an_error_of_ours() {
    let raven = Raven::without_worker("no_key_makes_an_error_of_ours").await;
    let seed = seed();
    eprintln!("RAVEN_TEST_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let pieces: [&[u8]; 8] = [b"rk_", b"live_", b"test_", b"_", b"0a1b2c3d", b"Bearer ", b"\xff", b" "];
    for round in 0..200 {
        let mut bytes = Vec::new();
        for _ in 0..chance.usize(..8) {
            if chance.bool() {
                bytes.extend_from_slice(pieces[chance.usize(..pieces.len())]);
            } else {
                bytes.extend((0..chance.usize(..40)).map(|_| chance.u8(0x20..)).filter(|byte| *byte != 0x7f));
            }
        }
        let value = HeaderValue::from_bytes(&bytes).unwrap();
        let name = ["X-Raven-Key", "Authorization"][round % 2];
        let reply = http::send(raven.request(Method::GET, "/v1/suppressions").header(name, value)).await;
        reply.problem(401, "unauthorized");
    }
}

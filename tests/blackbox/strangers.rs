//! How often those may try whom ingest does not know.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::{Method, Url, header::HeaderValue};
use uuid::Uuid;

use crate::harness::{
    Raven,
    http::{self, Reply},
    servers::seed,
    wait::until,
};
use crate::limits::too_much;

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
    for key in [&made_up(6), &unknown.key] {
        too_much(&try_key(&url, key, "192.0.2.1").await, 5);
    }
    // What needs no look-up is told what it is for longer, but not for ever.
    let junk = async || try_key(&url, "junk", "192.0.2.1").await;
    junk().await.problem(401, "unauthorized");
    too_much(&until("too much of it", junk, |reply| reply.status != 401).await, 50);
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

#[tokio::test]
async fn who_goes_on_trying_a_revoked_key_keeps_no_new_key_from_being_found() {
    let mut raven = Raven::without_worker("who_goes_on_trying_a_revoked_key").await;
    let (revoked, wrong, new) =
        (raven.bare_tenant().await, raven.bare_tenant().await, raven.bare_tenant().await);
    let url = raven.start_ingest_with(&[("RAVEN_RATE_LIMIT_FAILURES", "1/h burst 5")]).await;
    for known in [&revoked, &wrong] {
        try_key(&url, &known.key, "").await.expect(200);
    }
    let id = |key: &str| key["rk_live_".len()..][..8].to_owned();
    raven.cli(&["key", "revoke", &id(&revoked.key), "--json"], "").await.json();
    let old = async || try_key(&url, &revoked.key, "").await;
    until("the revocation", old, |reply| reply.status == 401).await;
    let wrong = key_of(u32::from_str_radix(&id(&wrong.key), 16).unwrap(), [7; 20]);
    for _ in 0..12 {
        for key in [&revoked.key, &wrong, "junk"] {
            try_key(&url, key, "").await.problem(401, "unauthorized");
        }
    }
    try_key(&url, &new.key, "").await.expect(200);
}

/// A webhook without events, for a tenant.
async fn webhook(url: &Url, tenant: &str) -> Reply {
    let path = format!("v1/webhooks/email/mailjet/{tenant}");
    http::send(http::client().post(url.join(&path).unwrap()).body("[]")).await
}

#[tokio::test]
async fn who_makes_up_tenants_is_stopped_and_known_ones_are_served() {
    let mut raven = Raven::without_worker("who_makes_up_tenants_is_stopped").await;
    let (known, unknown) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let url = raven.start_ingest_with(&[("RAVEN_RATE_LIMIT_FAILURES", "1/h burst 5")]).await;
    assert_eq!(webhook(&url, &known.id).await.status, 200);
    let made_up = || Uuid::new_v4().to_string();
    for _ in 0..5 {
        webhook(&url, &made_up()).await.problem(404, "not_found");
    }
    for id in [&made_up(), &unknown.id] {
        let refused = webhook(&url, id).await;
        refused.problem(503, "database_unavailable");
        assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");
    }
    assert_eq!(webhook(&url, &known.id).await.status, 200);
    webhook(&url, "not-a-uuid").await.problem(404, "not_found");
    // Keys are another matter.
    try_key(&url, &unknown.key, "").await.expect(200);
}

#[tokio::test]
async fn who_makes_up_tenants_keeps_no_key_from_being_looked_up() {
    let raven = Raven::without_worker("who_makes_up_tenants_keeps_no_key").await;
    let tenant = raven.bare_tenant().await;
    let (mut session, onlooker) = (raven.database.session().await, raven.database.session().await);
    let hold = session.client.transaction().await.unwrap();
    hold.batch_execute("lock table tenants in access exclusive mode").await.unwrap();
    let ids: Vec<String> = (0..12).map(|_| Uuid::new_v4().to_string()).collect();
    let mut webhooks: FuturesUnordered<_> = ids.iter().map(|id| webhook(&raven.url, id)).collect();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let key = async {
        let count = async || onlooker.client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0);
        until("look-ups of tenants to wait", count, |count| *count >= 4).await;
        try_key(&raven.url, &tenant.key, "").await
    };
    tokio::select! {
        reply = key => { reply.expect(200); }
        webhook = webhooks.next() => panic!("the key waited for the tenants: {webhook:?}"),
    }
}

//! What happens while RabbitMQ, Postgres or Mailjet is away, and that it ends by itself.

use std::time::Duration;

use reqwest::Method;
use testbed::proxy::Proxy;

use crate::harness::{
    Copy, Raven, Tenant, http, plain,
    wait::{until, within},
};

/// How long an answer may take while a server is away.
const PATIENCE: Duration = Duration::from_secs(10);

async fn refuses(raven: &Raven, tenant: &Tenant) {
    let message = plain("ann@example.com");
    let send =
        async || within(PATIENCE, "an answer without RabbitMQ", tenant.post("/v1/messages", &message)).await;
    // What was confirmed in time is a success, so the first requests may still be.
    let refused = until("a send to be refused", send, |reply| reply.status != 200).await;
    for _ in 0..2 {
        let webhook = within(PATIENCE, "an answer without RabbitMQ", tenant.webhook("[]")).await;
        for reply in [&refused, &webhook, &send().await] {
            reply.problem(503, "queue_unavailable");
            assert!(reply.header("Retry-After").parse::<u32>().is_ok(), "{reply:?}");
        }
    }
    let ready = async || http::send(raven.request(Method::GET, "/readyz")).await;
    let unready = until("ingest to be unready", ready, |reply| reply.status == 503).await;
    assert!(unready.text.to_lowercase().contains("rabbitmq"), "{unready:?}");
    assert_eq!(http::send(raven.request(Method::GET, "/healthz")).await.status, 200);
}

async fn rabbitmq_goes_away(name: &str, break_it: fn(&Proxy)) {
    let raven = Raven::start(name).await;
    let tenant = raven.tenant().await;
    let before = tenant.send_to("ann@example.com").await;
    tenant.settled(&before, "delivered").await;
    break_it(&raven.proxies.rabbitmq);
    refuses(&raven, &tenant).await;
    raven.proxies.rabbitmq.heal();

    let message = plain("bob@example.com");
    let send = async || tenant.post("/v1/messages", &message).await;
    let accepted = until("a send to be accepted again", send, |reply| reply.status == 200).await;
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    tenant.settled(&id, "delivered").await;
    raven.sim.only_copy(&id).await;
    let ready = async || http::send(raven.request(Method::GET, "/readyz")).await.status;
    until("ingest to be ready", ready, |status| *status == 200).await;
    tenant.drained().await;
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

#[tokio::test]
async fn rabbitmq_dies() {
    rabbitmq_goes_away("rabbitmq_dies", Proxy::cut).await;
}

#[tokio::test]
async fn rabbitmq_is_silent() {
    rabbitmq_goes_away("rabbitmq_is_silent", Proxy::swallow).await;
}

/// Whom the caches do not know may yet be known to Postgres: 404 or 401 would lose a webhook or stop a backend.
async fn strangers_are_put_off(raven: &Raven, tenant: &Tenant) {
    let path = "/v1/webhooks/email/mailjet/00000000-0000-4000-8000-000000000000";
    let webhook = http::send(raven.request(Method::POST, path).body("[]"));
    let webhook = within(PATIENCE * 2, "a webhook of a stranger", webhook).await;
    webhook.problem(503, "database_unavailable");
    // Sound by its form, and of nobody.
    let key = "rk_live_ffffffff_00000000000000000000000000000000000000007c2a5c7d";
    let message = plain("ann@example.com");
    let send =
        within(PATIENCE * 2, "a send of a stranger", tenant.with_key(key).post("/v1/messages", &message))
            .await;
    assert!([401, 503].contains(&send.status), "{send:?}");
}

async fn postgres_goes_away(name: &str, break_it: fn(&Proxy)) {
    let raven = Raven::start(name).await;
    let tenant = raven.tenant().await;
    let first = tenant.send_to("silent+first@example.com").await;
    let copy = Copy::of(&tenant.settled(&first, "sent").await, 0);
    // So that the webhook's tenant is known as well.
    tenant.drained().await;

    break_it(&raven.proxies.postgres);
    let mut ids = Vec::new();
    for number in 0..10 {
        let to = format!("r{number}@example.com");
        ids.push(within(PATIENCE, "a send without Postgres", tenant.send_to(&to)).await);
        within(PATIENCE, "a webhook without Postgres", tenant.tell(&[copy.open(number)])).await;
    }
    within(PATIENCE, "a webhook without Postgres", tenant.tell(&[copy.sent(1)])).await;
    let read =
        within(PATIENCE * 2, "a reading without Postgres", tenant.get(&format!("/v1/messages/{first}")))
            .await;
    read.problem(503, "database_unavailable");
    assert!(!read.header("Retry-After").is_empty(), "{read:?}");
    strangers_are_put_off(&raven, &tenant).await;
    raven.proxies.postgres.heal();

    let read = async || tenant.get(&format!("/v1/messages/{first}")).await.status;
    until("Postgres to be found again", read, |status| *status == 200).await;
    for id in &ids {
        tenant.settled(id, "delivered").await;
        raven.sim.only_copy(id).await;
    }
    tenant.settled(&first, "delivered").await;
    let events = async || tenant.events(&first).await.len();
    until("every event", events, |count| *count == 11).await;
}

#[tokio::test]
async fn postgres_dies() {
    postgres_goes_away("postgres_dies", Proxy::cut).await;
}

#[tokio::test]
async fn postgres_is_silent() {
    postgres_goes_away("postgres_is_silent", Proxy::swallow).await;
}

#[tokio::test]
async fn mailjet_is_away() {
    let raven = Raven::start("mailjet_is_away").await;
    let tenant = raven.tenant().await;
    raven.proxies.mailjet.cut();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(tenant.send_to(&format!("r{number}@example.com")).await);
    }
    let tried = async || {
        let reply = tenant.get(&format!("/v1/messages/{}", ids[0])).await;
        reply.json()["attempts"].as_u64().unwrap_or_default()
    };
    until("a second attempt", tried, |attempts| *attempts >= 2).await;
    raven.proxies.mailjet.heal();
    for id in &ids {
        let message = tenant.settled(id, "delivered").await;
        assert!(message["error"].is_null(), "{message}");
        raven.sim.only_copy(id).await;
    }
}

#[tokio::test]
async fn events_wait_at_mailjet_while_rabbitmq_is_away() {
    let raven = Raven::start("events_wait_at_mailjet_while_rabbitmq_is_away").await;
    let tenant = raven.tenant().await;
    raven.sim.fault("events_hold", None, 0).await;
    let id = tenant.send_to("click@example.com").await;
    tenant.settled(&id, "sent").await;
    raven.proxies.rabbitmq.cut();
    let webhook = async || tenant.webhook("[]").await.status;
    until("webhooks to be refused", webhook, |status| *status == 503).await;
    let before = raven.sim.stat("eventAttempts").await;
    raven.sim.heal().await;
    let attempts = async || raven.sim.stat("eventAttempts").await;
    until("Mailjet to try more than once", attempts, |attempts| *attempts >= before + 2).await;
    assert_eq!(raven.sim.stat("eventsDelivered").await, 0);
    raven.proxies.rabbitmq.heal();
    tenant.told(&id, &["delivered", "open", "click"]).await;
    tenant.settled(&id, "delivered").await;
}

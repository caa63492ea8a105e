//! One mail an idempotency key.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, http, http::Reply, plain};
use testbed::proxy::Proxy;

async fn send(tenant: &Tenant, key: &str, message: &Value) -> Reply {
    let request = tenant.request(Method::POST, "/v1/messages").header("Idempotency-Key", key);
    http::send(request.json(message)).await
}

#[tokio::test]
async fn the_same_key_is_the_same_message() {
    let raven = Raven::start("the_same_key_is_the_same_message").await;
    let tenant = raven.tenant().await;
    let message = plain("ann@example.com");
    let first = send(&tenant, "order-42", &message).await;
    let id = first.expect(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(first.header("Idempotent-Replayed"), "");
    let again = send(&tenant, "order-42", &message).await;
    assert_eq!(
        (again.expect(200)["id"].as_str().unwrap(), again.header("Idempotent-Replayed")),
        (&*id, "true")
    );

    tenant.settled(&id, "delivered").await;
    let late = send(&tenant, "order-42", &message).await;
    assert_eq!(
        (late.expect(200)["id"].as_str().unwrap(), late.header("Idempotent-Replayed")),
        (&*id, "true")
    );
    send(&tenant, "order-42", &plain("bob@example.com")).await.problem(409, "idempotency_mismatch");

    let other = send(&tenant, "order-43", &message).await.expect(200);
    assert_ne!(other["id"], id);
    let stranger = raven.tenant().await;
    let theirs = send(&stranger, "order-42", &message).await.expect(200);
    assert_ne!(theirs["id"], id, "a key belongs to its tenant");
    for id in [&other["id"], &theirs["id"]] {
        let tenant = if *id == theirs["id"] { &stranger } else { &tenant };
        tenant.settled(id.as_str().unwrap(), "delivered").await;
    }
    raven.sim.only_copy(&id).await;
    assert_eq!(raven.sim.messages().await.len(), 3);
}

#[tokio::test]
async fn requests_that_race_send_one_mail() {
    let raven = Raven::start("requests_that_race_send_one_mail").await;
    let tenant = raven.tenant().await;
    let message = plain("ann@example.com");
    let replies = join_all((0..16).map(|_| send(&tenant, "race", &message))).await;
    let mut ids: Vec<String> =
        replies.iter().map(|reply| reply.expect(200)["id"].as_str().unwrap().to_owned()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    tenant.settled(&ids[0], "delivered").await;
    let last = tenant.send_to("bob@example.com").await;
    tenant.settled(&last, "delivered").await;
    raven.sim.only_copy(&ids[0]).await;
    assert_eq!(raven.sim.messages().await.len(), 2);
}

/// Both ingests of an installation, and a tenant that each of them knows.
async fn at_two_ingests(name: &str) -> (Raven, [Tenant; 2]) {
    let mut raven = Raven::start(name).await;
    let second = raven.start_ingest().await;
    let first = raven.tenant().await;
    let tenants = [first.at(&second), first];
    for tenant in &tenants {
        let id = tenant.send_to("bob@example.com").await;
        tenant.settled(&id, "delivered").await;
    }
    (raven, tenants)
}

/// Sends under one key 32 times at once, half of it at each ingest, and answers the one id.
async fn race(tenants: &[Tenant; 2], message: &Value) -> String {
    let replies = join_all((0..32).map(|number| send(&tenants[number % 2], "race", message))).await;
    let ids: HashSet<String> =
        replies.iter().map(|reply| reply.expect(200)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids.into_iter().next().unwrap()
}

/// One mail left under the id, and none can under another; a body that differs is refused wherever it comes.
async fn one_mail(raven: &Raven, tenants: &[Tenant; 2], id: &str) {
    tenants[0].settled(id, "delivered").await;
    for tenant in tenants {
        send(tenant, "race", &plain("eve@example.com")).await.problem(409, "idempotency_mismatch");
        let last = tenant.send_to("bob@example.com").await;
        tenant.settled(&last, "delivered").await;
    }
    raven.sim.only_copy(id).await;
    assert_eq!(raven.sim.messages().await.len(), 5, "two before, two after, and the one");
}

#[tokio::test]
async fn a_race_at_two_ingests_sends_one_mail() {
    let (raven, tenants) = at_two_ingests("a_race_at_two_ingests_sends_one_mail").await;
    let id = race(&tenants, &plain("ann@example.com")).await;
    one_mail(&raven, &tenants, &id).await;
}

async fn races_while_postgres_is_away(name: &str, break_it: fn(&Proxy)) {
    let (raven, tenants) = at_two_ingests(name).await;
    break_it(&raven.proxies.postgres);
    let message = plain("ann@example.com");
    let id = race(&tenants, &message).await;
    assert_eq!(race(&tenants, &message).await, id);
    raven.proxies.postgres.heal();
    one_mail(&raven, &tenants, &id).await;
}

#[tokio::test]
async fn a_race_while_postgres_is_dead() {
    races_while_postgres_is_away("a_race_while_postgres_is_dead", Proxy::cut).await;
}

#[tokio::test]
async fn a_race_while_postgres_is_silent() {
    races_while_postgres_is_away("a_race_while_postgres_is_silent", Proxy::swallow).await;
}

#[tokio::test]
async fn of_two_bodies_that_met_under_one_key_the_one_that_is_shown_went_out() {
    let mut raven =
        Raven::without_worker("of_two_bodies_that_met_under_one_key_the_one_that_is_shown_went_out").await;
    let first = raven.tenant().await;
    let second = first.at(&raven.start_ingest().await);
    let mut ids = Vec::new();
    for number in 0..20 {
        let key = format!("order-{number}");
        let one = send(&first, &key, &plain("ann@example.com")).await.expect(200)["id"].clone();
        let other = send(&second, &key, &plain("bob@example.com")).await.expect(200)["id"].clone();
        assert_eq!(one, other);
        ids.push(one.as_str().unwrap().to_owned());
    }
    raven.start_worker().await;
    for id in &ids {
        let shown = first.settled(id, "delivered").await;
        let sent = raven.sim.only_copy(id).await;
        assert_eq!(shown["recipients"][0]["email"], sent["recipients"][0]["email"], "{shown} {sent}");
    }
}

#[tokio::test]
async fn keys_are_short_and_printable() {
    let raven = Raven::start("keys_are_short_and_printable").await;
    let tenant = raven.tenant().await;
    let message = plain("ann@example.com");
    for key in ["", &"x".repeat(257), "a\tb"] {
        let reply = send(&tenant, key, &message).await;
        assert_eq!(reply.status, 422, "{key:?}: {reply:?}");
        reply.problem(422, "validation_failed");
    }
    send(&tenant, &"x".repeat(256), &message).await.expect(200);
}

#[tokio::test]
async fn a_restart_forgets_no_key() {
    let mut raven = Raven::start("a_restart_forgets_no_key").await;
    let tenant = raven.tenant().await;
    let message = plain("ann@example.com");
    let id = send(&tenant, "order-42", &message).await.expect(200)["id"].clone();
    tenant.settled(id.as_str().unwrap(), "delivered").await;
    raven.restart_ingest().await;
    assert_eq!(send(&tenant, "order-42", &message).await.expect(200)["id"], id);
    send(&tenant, "order-42", &plain("bob@example.com")).await;
    let last = tenant.send_to("carol@example.com").await;
    tenant.settled(&last, "delivered").await;
    assert_eq!(raven.sim.messages().await.len(), 2, "one mail a key");
}

#[tokio::test]
async fn a_batch_can_be_repeated() {
    let raven = Raven::start("a_batch_can_be_repeated").await;
    let tenant = raven.tenant().await;
    let batch = json!({ "messages": [plain("ann@example.com"), plain("bob@example.com")] });
    let post = async |body: &Value| {
        let request = tenant.request(Method::POST, "/v1/messages/batch").header("Idempotency-Key", "batch-1");
        http::send(request.json(body)).await
    };
    let first = post(&batch).await.expect(200);
    let again = post(&batch).await;
    assert_eq!(again.header("Idempotent-Replayed"), "true");
    assert_eq!(again.expect(200), first);
    post(&json!({ "messages": [plain("carl@example.com")] })).await.problem(409, "idempotency_mismatch");
    for message in first["data"].as_array().unwrap() {
        let id = message["id"].as_str().unwrap();
        tenant.settled(id, "delivered").await;
        raven.sim.only_copy(id).await;
    }
    assert_eq!(raven.sim.messages().await.len(), 2);
}

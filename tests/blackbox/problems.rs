//! Errors, as their readers get them.

use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::harness::{Raven, http, plain, wait::until};

#[tokio::test]
async fn keys_that_are_no_good() {
    let raven = Raven::start("keys_that_are_no_good").await;
    let tenant = raven.tenant().await;
    let other = raven.bare_tenant().await;
    // The id of one key with the secret of another, and one with a digit changed.
    let (head, _) = tenant.key.rsplit_once('_').unwrap();
    let (_, secret) = other.key.rsplit_once('_').unwrap();
    let flipped = if tenant.key.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{flipped}", &tenant.key[..tenant.key.len() - 1]);
    for key in ["", "junk", "rk_live_", "rk_live_00000000_00", "é", &format!("{head}_{secret}"), &changed] {
        let stranger = tenant.with_key(key);
        stranger.post("/v1/messages", &plain("a@example.com")).await.problem(401, "unauthorized");
        stranger.get("/v1/suppressions").await.problem(401, "unauthorized");
    }
    let path = "/v1/suppressions";
    http::send(raven.request(Method::GET, path)).await.problem(401, "unauthorized");
    let bearer = |key: &str| raven.request(Method::GET, path).header(AUTHORIZATION, format!("Bearer {key}"));
    http::send(bearer(&tenant.key)).await.expect(200);
    http::send(bearer("junk")).await.problem(401, "unauthorized");
    let basic = raven.request(Method::GET, path).basic_auth("user", Some(&tenant.key));
    http::send(basic).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_revoked_key_is_refused_soon() {
    let raven = Raven::start("a_revoked_key_is_refused_soon").await;
    let tenant = raven.tenant().await;
    let made = raven.cli(&["key", "create", "--tenant", &tenant.id, "--json"], "").await.json();
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    let with_key = tenant.with_key(key);
    with_key.send_to("ann@example.com").await;
    let revoked = raven.cli(&["key", "revoke", made["keyId"].as_str().unwrap(), "--json"], "").await;
    revoked.json();
    let send = async || with_key.post("/v1/messages", &plain("a@example.com")).await;
    until("the key to be refused", send, |reply| reply.status == 401).await.problem(401, "unauthorized");
    tenant.send_to("bob@example.com").await;
}

#[tokio::test]
async fn a_key_for_sending_does_not_manage() {
    let raven = Raven::start("a_key_for_sending_does_not_manage").await;
    let tenant = raven.tenant().await;
    let made =
        raven.cli(&["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"], "").await.json();
    assert_eq!(made["scope"], "send");
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    let sender = tenant.with_key(key);
    let provider = json!({"from_email": "x@y.example", "from_name": "x", "api_key": "k", "api_secret": "s"});
    sender.put("/v1/providers/mailjet", &provider).await.problem(403, "forbidden");
    sender.get("/v1/providers/mailjet").await.problem(403, "forbidden");
    sender.get("/v1/suppressions").await.problem(403, "forbidden");
    sender.post("/v1/webhook-tokens", &Value::Null).await.problem(403, "forbidden");
    let id = sender.send_to("ann@example.com").await;
    sender.settled(&id, "delivered").await;
    assert_eq!(sender.event_types(&id).await, ["delivered"]);
}

#[tokio::test]
async fn what_is_not_there() {
    let raven = Raven::start("what_is_not_there").await;
    let (tenant, stranger) = (raven.tenant().await, raven.tenant().await);
    for path in ["/", "/v1", "/v1/nothing", "/v2/messages", "/v1/messages/"] {
        http::send(tenant.request(Method::GET, path)).await.problem(404, "not_found");
    }
    for (method, path) in [
        (Method::DELETE, "/v1/messages"),
        (Method::PUT, "/v1/suppressions"),
        (Method::PATCH, "/v1/providers/mailjet"),
        (Method::POST, "/v1/messages/00000000-0000-4000-8000-000000000000"),
    ] {
        let reply = http::send(tenant.request(method, path)).await;
        reply.problem(405, "method_not_allowed");
    }
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    for path in [format!("/v1/messages/{id}"), format!("/v1/messages/{id}/events")] {
        stranger.get(&path).await.problem(404, "not_found");
    }
    tenant.get("/v1/messages/00000000-0000-4000-8000-000000000000").await.problem(404, "not_found");
    tenant.get("/v1/messages/not-a-uuid").await.problem(404, "not_found");
}

/// A change to a sound message, and the places of the faults it makes.
fn faulty() -> Vec<(Value, Vec<&'static str>)> {
    let many: Vec<String> = (0..51).map(|number| format!("r{number}@example.com")).collect();
    let tags: Vec<String> = (0..11).map(|number| format!("t{number}")).collect();
    vec![
        (json!({"to": null}), vec!["/to"]),
        (json!({"to": []}), vec!["/to"]),
        (json!({"to": "nobody"}), vec!["/to"]),
        (json!({"to": ["ann@example.com", "bad", {"email": "also bad"}]}), vec!["/to/1", "/to/2"]),
        (json!({"to": many}), vec!["/to"]),
        (json!({"bodyText": null, "bodyHTML": "<p>x</p>"}), vec!["", "/bodyHTML"]),
        (json!({"bodyText": null}), vec![""]),
        (json!({"subject": "a\r\nBcc: eve@example.com"}), vec!["/subject"]),
        (json!({"subject": "x".repeat(256)}), vec!["/subject"]),
        (json!({"subject": 7}), vec!["/subject"]),
        (json!({"channel": "sms"}), vec!["/channel"]),
        (json!({"from": "Eve\r\nBcc: x@y.example <eve@example.com>"}), vec!["/from"]),
        (json!({"headers": {"Message-ID": "<x@y>", "X-Fine": "yes"}}), vec!["/headers/Message-ID"]),
        (json!({"headers": {"X-Order": "a\r\nBcc: eve@example.com"}}), vec!["/headers/X-Order"]),
        (json!({"metadata": {"x": "y".repeat(5000)}}), vec!["/metadata"]),
        (json!({"tags": tags}), vec!["/tags"]),
        (json!({"trackOpens": "yes"}), vec!["/trackOpens"]),
        (json!({"templateId": "12"}), vec!["/templateId"]),
        (json!({"scheduledAt": "tomorrow"}), vec!["/scheduledAt"]),
        (
            json!({"attachments": [{"filename": "a", "contentType": "a/b", "content": "?"}]}),
            vec!["/attachments/0/content"],
        ),
        (json!({"replyTo": ["a@b.example", "c@d.example"]}), vec!["/replyTo"]),
        (
            json!({"to": "nobody", "cc": "bad", "subject": "a\nb", "bodyHTML": "x", "tags": [1]}),
            vec!["/bodyHTML", "/cc", "/subject", "/tags/0", "/to"],
        ),
    ]
}

/// The pointers of a problem, sorted.
fn pointers(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
    for error in errors {
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    }
    let mut pointers: Vec<String> =
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    pointers.sort_unstable();
    pointers.dedup();
    pointers
}

#[tokio::test]
async fn every_fault_of_a_message_is_named() {
    let raven = Raven::start("every_fault_of_a_message_is_named").await;
    let tenant = raven.tenant().await;
    let mut wrong = Vec::new();
    for (change, expected) in faulty() {
        let mut message = plain("ann@example.com");
        for (name, value) in change.as_object().unwrap() {
            message[name] = value.clone();
        }
        let problem = tenant.post("/v1/messages", &message).await.problem(422, "validation_failed");
        let found = pointers(&problem);
        // A fault of the whole message may be told at its root or at a field; both are of use.
        let fits = expected.iter().all(|one| one.is_empty() || found.iter().any(|other| other == one));
        if !fits || found.len() < expected.len() {
            wrong.push(format!("{change}\n  expected {expected:?}\n  found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for body in ["[]", "7", "\"x\"", "null"] {
        let request = tenant.request(Method::POST, "/v1/messages").header("content-type", "application/json");
        http::send(request.body(body)).await.problem(422, "validation_failed");
    }
    for body in ["", "{", "{\"to\":}", "\u{0}"] {
        let request = tenant.request(Method::POST, "/v1/messages").header("content-type", "application/json");
        http::send(request.body(body)).await.problem(400, "malformed_json");
    }
    assert!(raven.sim.messages().await.is_empty(), "nothing of it was sent");
}

#[tokio::test]
async fn one_fault_in_a_batch_queues_nothing() {
    let raven = Raven::start("one_fault_in_a_batch_queues_nothing").await;
    let tenant = raven.tenant().await;
    let mut messages = vec![plain("ann@example.com"); 5];
    messages[3]["to"] = json!("nobody");
    messages[4]["bodyHTML"] = json!("x");
    let reply = tenant.post("/v1/messages/batch", &json!({ "messages": messages })).await;
    let found = pointers(&reply.problem(422, "validation_failed"));
    assert_eq!(found, ["/messages/3/to", "/messages/4/bodyHTML"]);
    let none: [Value; 0] = [];
    tenant.post("/v1/messages/batch", &json!({ "messages": none })).await.problem(422, "validation_failed");
    let many = vec![plain("ann@example.com"); 501];
    tenant.post("/v1/messages/batch", &json!({ "messages": many })).await.problem(422, "validation_failed");
    let last = tenant.send_to("bob@example.com").await;
    tenant.settled(&last, "delivered").await;
    assert_eq!(raven.sim.messages().await.len(), 1);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let raven = Raven::start("bodies_have_a_limit").await;
    let tenant = raven.tenant().await;
    let mut huge = plain("ann@example.com");
    huge["bodyText"] = json!("x".repeat(21 * 1024 * 1024));
    tenant.post("/v1/messages", &huge).await.problem(413, "payload_too_large");
    let mut heavy = plain("ann@example.com");
    let file =
        |length: usize| json!([{"filename": "f", "contentType": "a/b", "content": "A".repeat(length)}]);
    heavy["attachments"] = file(20_000_004);
    let problem = tenant.post("/v1/messages", &heavy).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/attachments"]);
    heavy["attachments"] = file(19_600_000);
    let id = tenant.send(&heavy).await;
    tenant.settled(&id, "delivered").await;
    assert_eq!(raven.sim.only_copy(&id).await["attachments"][0]["size"], 14_700_000);
}

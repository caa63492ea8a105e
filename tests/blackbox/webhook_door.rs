//! How the door for Mailjet's webhooks answers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, http, wait::until};

/// Bodies that are taken: whatever the items are, the group is one webhook.
const TAKEN: [&str; 8] = [
    r#"{"event":"open","time":1700000000,"MessageID":5,"email":"a@example.com"}"#,
    r#"[{"event":"sent","time":1700000000,"MessageID":5,"email":"a@example.com"}]"#,
    "[]",
    "{}",
    " \n[ ]\t",
    r#"[7, null, "x", [], {}, {"event": 5}, {"event":"sent","email":["a"],"MessageID":{}}, true]"#,
    r#"{"event":"future","nested":{"deep":[[[[1]]]]},"MessageID":1e999}"#,
    r#"[{"event":"sent","email":"a\u0000b@example.com","MessageID":5,"time":99999999999999999999}]"#,
];

const MALFORMED: [&str; 9] = ["", " ", "7", r#""x""#, "null", "true", r#"[{"event":"sent""#, "{", "[1,]"];

#[tokio::test]
async fn objects_and_arrays_are_taken_whatever_they_hold() {
    let raven = Raven::start("objects_and_arrays_are_taken_whatever_they_hold").await;
    let tenant = raven.tenant().await;
    for body in TAKEN {
        let reply = tenant.webhook(body).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{body}: {reply:?}");
    }
    for body in MALFORMED {
        tenant.webhook(body).await.problem(400, "malformed_json");
    }
    tenant.webhook(b"\xff{}".to_vec()).await.problem(400, "malformed_json");
    tenant.drained().await;
}

#[tokio::test]
async fn the_door_knows_providers_tenants_and_sizes() {
    let raven = Raven::start("the_door_knows_providers_tenants_and_sizes").await;
    let tenant = raven.tenant().await;
    let post = async |path: &str| http::send(raven.request(Method::POST, path).body("[]")).await;
    let id = &tenant.id;
    post(&format!("/v1/webhooks/email/sendgrid/{id}")).await.problem(422, "unknown_provider");
    post("/v1/webhooks/email/mailjet/not-a-uuid").await.problem(404, "not_found");
    post("/v1/webhooks/email/mailjet/00000000-0000-4000-8000-000000000000").await.problem(404, "not_found");
    let get = raven.request(Method::GET, &format!("/v1/webhooks/email/mailjet/{id}"));
    http::send(get).await.problem(405, "method_not_allowed");

    let padding = "x".repeat(10 * 1024 * 1024);
    let body = format!(r#"[{{"event":"open","padding":"{padding}"}}]"#);
    tenant.webhook(body).await.problem(413, "payload_too_large");
    let many = vec![json!({"event": "open", "time": 1_700_000_000, "email": "a@example.com"}); 5_000];
    tenant.tell(&many).await;
    tenant.drained().await;
}

/// The answer to a webhook without events.
async fn empty_webhook(tenant: &Tenant, user: Option<(&str, &str)>, query: &str) -> u16 {
    let url = format!("{}{query}", tenant.webhook_url());
    let request = http::client().post(url).body("[]");
    let request = match user {
        Some((name, token)) => request.basic_auth(name, Some(token)),
        None => request,
    };
    http::send(request).await.status
}

#[tokio::test]
async fn a_live_token_is_asked_for() {
    let raven = Raven::start("a_live_token_is_asked_for").await;
    let tenant = raven.tenant().await;
    assert_eq!(empty_webhook(&tenant, None, "").await, 200, "without a token all are let in");
    let create = async || tenant.post("/v1/webhook-tokens", &Value::Null).await;
    let reply = create().await;
    assert!([200, 201].contains(&reply.status), "{reply:?}");
    let (first, second) = (reply.json(), create().await.json());
    create().await.problem(409, "conflict");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let tokens = [text(&first, "token"), text(&second, "token")];
    for token in &tokens {
        raven.guard(token);
    }
    assert!(text(&first, "url").contains(&tokens[0]), "{first}");

    until(
        "a token to be asked for",
        async || empty_webhook(&tenant, None, "").await,
        |status| *status == 401,
    )
    .await;
    assert_eq!(empty_webhook(&tenant, Some(("any", "wrong")), "").await, 401);
    assert_eq!(empty_webhook(&tenant, None, "?token=wrong").await, 401);
    for token in &tokens {
        let basic = async || empty_webhook(&tenant, Some(("any", token)), "").await;
        until("the new token to be taken", basic, |status| *status == 200).await;
        assert_eq!(empty_webhook(&tenant, None, &format!("?token={token}")).await, 200);
    }

    let list = tenant.get("/v1/webhook-tokens").await;
    assert_eq!(list.json()["data"].as_array().unwrap().len(), 2);
    assert!(!tokens.iter().any(|token| list.text.contains(token)), "shown once");
    let revoke = tenant.request(Method::DELETE, &format!("/v1/webhook-tokens/{}", text(&first, "id")));
    assert_eq!(http::send(revoke).await.status, 204);
    let with_first = async || empty_webhook(&tenant, Some(("any", &tokens[0])), "").await;
    until("the revoked token to be refused", with_first, |status| *status == 401).await;
    assert_eq!(empty_webhook(&tenant, Some(("any", &tokens[1])), "").await, 200);
}

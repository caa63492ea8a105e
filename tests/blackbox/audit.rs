//! The audit log: who managed what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, http};

fn rows(answer: &Value) -> Vec<(String, String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    let data = answer["data"].as_array().expect("a list");
    data.iter().map(|row| (text(row, "actor"), text(row, "action"), text(row, "subject"))).collect()
}

fn row(actor: &str, action: &str, subject: &str) -> (String, String, String) {
    (actor.to_owned(), action.to_owned(), subject.to_owned())
}

#[tokio::test]
async fn what_is_managed_is_logged_with_who_did_it() {
    let raven = Raven::without_worker("what_is_managed_is_logged_with_who_did_it").await;
    let tenant = raven.bare_tenant().await;
    let stranger = raven.bare_tenant().await;
    let key = tenant.key.split('_').nth(2).expect("an id").to_owned();
    tenant.set_provider().await;
    tenant.post("/v1/suppressions", &json!({"email": "No@Example.com"})).await.expect(200);
    let remove = tenant.request(Method::DELETE, "/v1/suppressions/no@example.com");
    assert_eq!(http::send(remove).await.status, 204);
    let token = tenant.post("/v1/webhook-tokens", &json!({})).await.expect(200);
    raven.guard(token["token"].as_str().expect("a token"));
    let id = token["id"].as_str().expect("an id");
    // What does not happen is not logged.
    let nothing = tenant.request(Method::DELETE, "/v1/suppressions/no@example.com");
    assert_eq!(http::send(nothing).await.status, 404);
    tenant.post("/v1/suppressions", &json!({"email": "no"})).await.problem(422, "validation_failed");

    let logged = rows(&tenant.get("/v1/audit-log").await.expect(200));
    assert_eq!(
        logged,
        [
            row(&key, "webhook_token.created", id),
            row(&key, "suppression.removed", "no@example.com"),
            row(&key, "suppression.added", "No@Example.com"),
            row(&key, "provider.set", "mailjet"),
            row("cli", "key.created", &key),
            row("cli", "tenant.created", "Example"),
        ]
    );
    let strangers = rows(&stranger.get("/v1/audit-log").await.expect(200));
    assert_eq!(strangers.len(), 2, "{strangers:?}");
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_by_action() {
    let raven = Raven::without_worker("the_log_is_read_in_pages_and_by_action").await;
    let tenant = raven.bare_tenant().await;
    for number in 0..5 {
        let email = format!("a{number}@example.com");
        tenant.post("/v1/suppressions", &json!({ "email": email })).await.expect(200);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = tenant.get(&format!("/v1/audit-log?action=suppression.added&limit=2{cursor}")).await;
        let page = page.expect(200);
        seen.extend(rows(&page).into_iter().map(|(_, _, subject)| subject));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["a4", "a3", "a2", "a1", "a0"].map(|name| format!("{name}@example.com")));
    tenant.get("/v1/audit-log?action=nothing").await.problem(422, "validation_failed");
    let created =
        raven.cli(&["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"], "").await;
    let key = created.json()["apiKey"].as_str().expect("a key").to_owned();
    raven.guard(&key);
    tenant.with_key(&key).get("/v1/audit-log").await.problem(403, "forbidden");
}

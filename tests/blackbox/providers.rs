//! Accounts at Mailjet, and where their secrets never are.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, http};

#[tokio::test]
async fn both_spellings_are_read_and_secrets_are_masked() {
    let raven = Raven::start("both_spellings_are_read_and_secrets_are_masked").await;
    let tenant = raven.bare_tenant().await;
    tenant.get("/v1/providers/mailjet").await.problem(404, "not_found");
    let (key, secret) = (&tenant.account.0, &tenant.account.1);
    let snake =
        json!({"from_email": "a@shop.example", "from_name": "A", "api_key": key, "api_secret": secret});
    let camel = json!({"fromEmail": "b@shop.example", "fromName": "B", "apiKey": key, "apiSecret": secret});
    for (body, email) in [(snake, "a@shop.example"), (camel, "b@shop.example")] {
        let put = tenant.put("/v1/providers/mailjet", &body).await;
        assert!(put.status < 300, "{put:?}");
        let shown = tenant.get("/v1/providers/mailjet").await;
        assert_eq!(shown.status, 200);
        assert!(shown.text.contains(email), "{shown:?}");
        for (reply, part) in [(&put, key), (&put, secret), (&shown, key), (&shown, secret)] {
            assert!(!reply.text.contains(part.as_str()), "{reply:?}");
            assert!(!reply.text.contains(&part[part.len() - 5..]), "more than four characters: {reply:?}");
        }
        assert!(shown.text.contains(&secret[secret.len() - 4..]), "{shown:?}");
    }
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "sent").await;
    let mail = raven.sim.only_copy(&id).await;
    assert_eq!((&mail["from"]["email"], &mail["apiKey"]), (&json!("b@shop.example"), &json!(key)));
    let forget = tenant.request(Method::DELETE, "/v1/providers/mailjet");
    assert_eq!(http::send(forget).await.status, 204);
    tenant.get("/v1/providers/mailjet").await.problem(404, "not_found");
}

#[tokio::test]
async fn an_account_needs_key_secret_and_sender() {
    let raven = Raven::start("an_account_needs_key_secret_and_sender").await;
    let tenant = raven.bare_tenant().await;
    let sound =
        json!({"from_email": "a@shop.example", "from_name": "A", "api_key": "k1", "api_secret": "s1"});
    let changes = [
        (json!({"api_secret": null}), "/api_secret"),
        (json!({"api_key": ""}), "/api_key"),
        (json!({"from_email": "nobody"}), "/from_email"),
        (json!({"api_secrets": "s"}), "/api_secrets"),
    ];
    for (change, pointer) in changes {
        let mut body = sound.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let problem = tenant.put("/v1/providers/mailjet", &body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let empty: Value = json!({});
    let problem = tenant.put("/v1/providers/mailjet", &empty).await.problem(422, "validation_failed");
    assert!(problem["errors"].as_array().unwrap().len() >= 3, "every fault at once: {problem}");
    tenant.put("/v1/providers/sendgrid", &sound).await.problem(422, "unknown_provider");
    tenant.get("/v1/providers/mailjet").await.problem(404, "not_found");
}

#[tokio::test]
async fn secrets_are_sealed_at_rest_and_absent_from_verbose_logs() {
    let mut raven = Raven::with_log("secrets_are_sealed_at_rest_and_absent_from_verbose_logs", "trace").await;
    raven.start_worker().await;
    let tenant = raven.tenant().await;
    let id = tenant.send_to("ann@example.com").await;
    tenant.settled(&id, "delivered").await;
    let token =
        tenant.post("/v1/webhook-tokens", &Value::Null).await.json()["token"].as_str().unwrap().to_owned();
    raven.guard(&token);

    let session = raven.database.session().await;
    let tables = "select table_name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE'";
    for table in session.client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        for secret in [&tenant.account.0, &tenant.account.1, &tenant.key, &token] {
            // As text and as bytes, whatever the column.
            let found =
                format!("select count(*) from {table} as row where row::text like $1 or row::text like $2");
            let hex = hex(secret);
            let (plain, bytes) = (format!("%{secret}%"), format!("%{hex}%"));
            let count: i64 = session.client.query_one(&found, &[&plain, &bytes]).await.unwrap().get(0);
            assert_eq!(count, 0, "table {table} holds {}…", &secret[..8]);
        }
    }
}

fn hex(text: &str) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

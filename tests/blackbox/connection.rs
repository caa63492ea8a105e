//! Testing a tenant's account: what is told, and that no mail is sent for it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, wait::until};

/// The answer, and one of its checks.
async fn test(tenant: &Tenant, check: &str) -> (Value, Value) {
    let answer = tenant.post("/v1/providers/mailjet/test", &Value::Null).await.expect(200);
    let checks = answer["checks"].as_array().unwrap_or_else(|| panic!("no checks: {answer}"));
    let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    assert_eq!(names, ["credentials", "from_email", "sending_limit"]);
    assert!(checks.iter().all(|check| !check["detail"].as_str().unwrap_or_default().is_empty()), "{answer}");
    let all_well = checks.iter().all(|check| check["ok"] == true);
    assert_eq!(answer["ok"], all_well, "{answer}");
    let found = checks.iter().find(|one| one["name"] == check).cloned().unwrap();
    (answer, found)
}

fn says(check: &Value, words: &str) {
    assert!(check["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{words}: {check}");
}

#[tokio::test]
async fn an_account_is_tested_without_sending_mail() {
    let raven = Raven::without_worker("an_account_is_tested_without_sending_mail").await;
    let tenant = raven.bare_tenant().await;
    tenant.post("/v1/providers/mailjet/test", &Value::Null).await.problem(404, "not_found");
    tenant.post("/v1/providers/sendgrid/test", &Value::Null).await.problem(422, "unknown_provider");
    tenant.set_provider().await;

    // An account that has registered no sender may send from everywhere, at this stand-in.
    let (answer, sender) = test(&tenant, "from_email").await;
    says(&sender, "is an active sender");
    assert_eq!(answer["ok"], true, "{answer}");
    let other = json!({"Email": "*@elsewhere.example"});
    raven.sim.rest(&tenant.account, Method::POST, "sender", &other).await.expect(201);
    let (answer, sender) = test(&tenant, "from_email").await;
    assert_eq!((&answer["ok"], &answer["checks"][0]["ok"]), (&json!(false), &json!(true)), "{answer}");
    says(&sender, "no sender of this account");
    let row = json!({"Email": "*@shop.example"});
    raven.sim.rest(&tenant.account, Method::POST, "sender", &row).await.expect(201);
    let (_, sender) = test(&tenant, "from_email").await;
    says(&sender, "not active yet");
    raven.sim.publish("shop.example", &json!({"ownership": true})).await;
    raven
        .sim
        .rest(&tenant.account, Method::POST, "sender/*@shop.example/validate", &Value::Null)
        .await
        .expect(200);
    let (answer, sender) = test(&tenant, "from_email").await;
    says(&sender, "*@shop.example");
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(raven.sim.stat("calls").await, 0, "no mail was sent");

    let cli = ["provider", "test", "mailjet", "--tenant", &tenant.id, "--json"];
    assert_eq!(raven.cli(&cli, "").await.json(), answer);
    raven.proxies.mailjet.cut();
    let (_, credentials) = test(&tenant, "credentials").await;
    assert_eq!(credentials["ok"], false);
    says(&credentials, "did not answer");
}

#[tokio::test]
async fn wrong_credentials_and_used_up_limits_are_told() {
    let credentials = [("MAILJET_SIM_CREDENTIALS", "goodkey:goodsecret".to_owned())];
    let mut raven = Raven::with_sim("wrong_credentials_and_used_up_limits_are_told", &credentials).await;
    let tenant = raven.bare_tenant().await;
    tenant.set_provider().await;
    let (answer, credentials) = test(&tenant, "credentials").await;
    assert_eq!((&answer["ok"], &credentials["ok"]), (&json!(false), &json!(false)));
    says(&credentials, "does not accept the API key");
    let cli = raven.cli(&["provider", "test", "mailjet", "--tenant", &tenant.id], "").await;
    assert_eq!(cli.status.code(), Some(1), "{cli:?}");
    assert!(cli.stdout.contains("credentials") && cli.stderr.contains("credentials"), "{cli:?}");

    // Held back by the wrong credentials, a message says nothing of limits.
    raven.start_worker().await;
    let id = tenant.send_to("ann@example.com").await;
    let waits = async || tenant.get(&format!("/v1/messages/{id}")).await.json();
    until("the message to be held up", waits, |message| message["error"].is_object()).await;
    assert_eq!(test(&tenant, "sending_limit").await.1["ok"], true);
    // As it would be, had Mailjet said so.
    let session = raven.database.session().await;
    raven.workers[0].kill();
    let limited = "update messages set error_code = 'sending_limit', error_message = 'Daily limit reached'";
    session.client.execute(limited, &[]).await.unwrap();
    let (_, limit) = test(&tenant, "sending_limit").await;
    assert_eq!(limit["ok"], false);
    says(&limit, "Daily limit reached");
}

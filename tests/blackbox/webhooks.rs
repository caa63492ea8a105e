//! Webhooks that Raven registers at Mailjet, and keeps so.

use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::harness::{
    Raven, Tenant, http,
    wait::{eventually, until},
};

const PATH: &str = "/v1/providers/mailjet/webhooks";
/// A worker that looks often, and a grace that ends within a test.
const KEEN: [(&str, &str); 2] = [("RAVEN_WEBHOOK_CHECK", "200ms"), ("RAVEN_WEBHOOK_TOKEN_GRACE", "300ms")];

async fn with_account(raven: &Raven) -> Tenant {
    let tenant = raven.bare_tenant().await;
    tenant.set_provider().await;
    tenant
}

/// The URL at Mailjet of an event and rank.
async fn url(raven: &Raven, tenant: &Tenant, event: &str, is_backup: bool) -> Option<String> {
    let rows = raven.sim.callbacks(&tenant.account.0).await;
    let row = rows.iter().find(|row| row["EventType"] == event && row["IsBackup"] == is_backup)?;
    Some(row["Url"].as_str().unwrap().to_owned())
}

/// The password in a URL.
fn token(url: &str) -> String {
    url.parse::<Url>().unwrap().password().expect("a token").to_owned()
}

async fn audit(tenant: &Tenant, action: &str) -> Vec<Value> {
    let answer = tenant.get(&format!("/v1/audit-log?action={action}&limit=500")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

async fn tokens(tenant: &Tenant, managed: bool) -> Vec<Value> {
    let answer = tenant.get("/v1/webhook-tokens").await.expect(200);
    let rows = answer["data"].as_array().unwrap().clone();
    rows.into_iter().filter(|row| row["managed"] == managed).collect()
}

async fn delete(tenant: &Tenant, path: &str) -> http::Reply {
    http::send(tenant.request(Method::DELETE, path)).await
}

#[tokio::test]
async fn registering_again_changes_nothing_and_a_backup_adds_seven() {
    let raven = Raven::without_worker("registering_again_changes_nothing_and_a_backup_adds_seven").await;
    let tenant = raven.bare_tenant().await;
    tenant.post(PATH, &json!({})).await.problem(409, "conflict");
    tenant.get(PATH).await.problem(409, "conflict");
    delete(&tenant, PATH).await.problem(404, "not_found");
    tenant.set_provider().await;
    let before = tenant.get(PATH).await.expect(200);
    assert_eq!(before, json!({"data": [], "registration": null}));

    let made = tenant.post(PATH, &json!({})).await.expect(200);
    let rows = made["data"].as_array().unwrap();
    assert_eq!(rows.len(), 7, "{made}");
    let masked = tenant.webhook_url().to_string().replace("://", "://raven:****@");
    for row in rows {
        let expected = json!({
            "event": row["event"], "url": masked, "isBackup": false, "version": 2, "status": "alive", "ours": true,
        });
        assert_eq!(*row, expected);
    }
    let at_mailjet = raven.sim.callbacks(&tenant.account.0).await;
    let secret = token(at_mailjet[0]["Url"].as_str().unwrap());
    raven.guard(&secret);
    assert!(!made.to_string().contains(&secret));
    assert!(at_mailjet.iter().all(|row| row["Version"] == 2 && row["IsBackup"] == false), "{at_mailjet:?}");
    tenant.post(PATH, &json!({})).await.expect(200);
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await, at_mailjet, "the second time changes nothing");

    let backup = json!({"backupUrl": "https://standby.example.com"});
    let both = tenant.post(PATH, &backup).await.expect(200);
    assert_eq!(both["data"].as_array().unwrap().len(), 14);
    assert_eq!(both["registration"]["fault"], Value::Null);
    let rows = raven.sim.callbacks(&tenant.account.0).await;
    assert_eq!(rows[..7], at_mailjet[..], "what was right stays");
    for row in &rows[7..] {
        assert_eq!((&row["IsBackup"], &row["Version"]), (&json!(true), &json!(2)));
        let url: Url = row["Url"].as_str().unwrap().parse().unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("standby.example.com"), tenant.webhook_url().path()));
        assert!(url.password().is_some(), "{row}");
    }
    tenant.post(PATH, &json!({})).await.expect(200);
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await, at_mailjet, "the backup goes with the wish");
    assert_eq!(audit(&tenant, "webhooks.registered").await.len(), 3, "one for each change of the wish");

    assert_eq!(delete(&tenant, PATH).await.status, 204);
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await, [] as [Value; 0]);
    assert_eq!(tokens(&tenant, true).await, [] as [Value; 0]);
    delete(&tenant, PATH).await.problem(404, "not_found");
}

#[tokio::test]
async fn managed_tokens_are_apart_from_those_made_by_hand() {
    let raven = Raven::without_worker("managed_tokens_are_apart_from_those_made_by_hand").await;
    let tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({})).await.expect(200);
    let managed = tokens(&tenant, true).await;
    assert_eq!(managed.len(), 1, "{managed:?}");
    for _ in 0..2 {
        tenant.post("/v1/webhook-tokens", &Value::Null).await.expect(200);
    }
    tenant.post("/v1/webhook-tokens", &Value::Null).await.problem(409, "conflict");
    let path = format!("/v1/webhook-tokens/{}", managed[0]["id"].as_str().unwrap());
    delete(&tenant, &path).await.problem(409, "conflict");
    let by_hand = tokens(&tenant, false).await;
    let path = format!("/v1/webhook-tokens/{}", by_hand[0]["id"].as_str().unwrap());
    assert_eq!(delete(&tenant, &path).await.status, 204);
    assert_eq!(delete(&tenant, PATH).await.status, 204);
    assert_eq!(tokens(&tenant, false).await.len(), 1, "those made by hand stay");
}

#[tokio::test]
async fn a_wish_is_read_strictly_and_own_credentials_stay() {
    let raven = Raven::without_worker("a_wish_is_read_strictly_and_own_credentials_stay").await;
    let tenant = with_account(&raven).await;
    for (body, pointer) in [
        (json!({"url": "ftp://x.example"}), "/url"),
        (json!({"url": "https://x.example/\u{0}"}), "/url"),
        (json!({"url": null}), "/url"),
        (json!({"backupUrl": ["https://x.example"]}), "/backupUrl"),
        (json!({"events": []}), "/events"),
        (json!({"events": ["sent", "typofix"]}), "/events/1"),
        (json!({"uri": "https://x.example"}), "/uri"),
        (json!([]), ""),
    ] {
        let problem = tenant.post(PATH, &body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let other = json!({"EventType": "click", "Url": "https://other.example/?key=theirs", "Version": 1});
    raven.sim.rest(&tenant.account, Method::POST, "eventcallbackurl", &other).await.expect(201);
    let own = "https://me:mine@x.example/hook";
    let wish = json!({"url": own, "events": ["bounce", "sent"]});
    let made = tenant.post(PATH, &wish).await.expect(200);
    assert!(!made.to_string().contains("mine") && !made.to_string().contains("theirs"), "{made}");
    assert_eq!(url(&raven, &tenant, "sent", false).await.as_deref(), Some(own));
    assert_eq!(
        url(&raven, &tenant, "click", false).await.as_deref(),
        Some("https://other.example/?key=theirs")
    );
    let rows = made["data"].as_array().unwrap();
    let ours: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["event"], &row["ours"])).collect();
    assert_eq!(
        ours,
        [(&json!("click"), &json!(false)), (&json!("sent"), &json!(true)), (&json!("bounce"), &json!(true))]
    );
    assert_eq!(tokens(&tenant, true).await, [] as [Value; 0]);
    let sends =
        raven.cli(&["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"], "").await.json();
    let sends = tenant.with_key(sends["apiKey"].as_str().unwrap());
    sends.post(PATH, &json!({})).await.problem(403, "forbidden");
    assert_eq!(delete(&tenant, PATH).await.status, 204);
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await.len(), 1, "theirs stays");
}

#[tokio::test]
async fn a_dead_url_is_healed_with_a_fresh_token_and_the_old_one_ends() {
    let mut raven =
        Raven::without_worker("a_dead_url_is_healed_with_a_fresh_token_and_the_old_one_ends").await;
    raven.start_worker_with(&KEEN).await;
    let tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({"events": ["sent"]})).await.expect(200);
    let old = url(&raven, &tenant, "sent", false).await.unwrap();
    let id = tenant.send_to("ann@example.com").await;
    tenant.told(&id, &["delivered"]).await;
    // Without the token nobody else tells anything.
    assert_eq!(tenant.webhook("[]").await.status, 401);

    raven.sim.bury(&tenant.account.0, "sent|false").await;
    let renewed = async || url(&raven, &tenant, "sent", false).await.unwrap();
    let new = until("another URL", renewed, |url| *url != old).await;
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await[0]["Status"], "alive");
    assert_ne!(token(&new), token(&old));
    let id = tenant.send_to("ben@example.com").await;
    tenant.told(&id, &["delivered"]).await;

    let with = async |url: &str| http::send(http::client().post(url).body("[]")).await.status;
    until("the old token to end", async || with(&old).await, |status| *status == 401).await;
    assert_eq!(with(&new).await, 200);
    let healed = audit(&tenant, "webhooks.healed").await;
    assert_eq!(healed.len(), 1, "{healed:?}");
    assert_eq!((&healed[0]["actor"], &healed[0]["subject"]), (&json!("worker"), &json!("sent")));
    assert!(healed[0]["detail"].as_str().unwrap().contains("given its URL up"), "{healed:?}");
    let revoked = audit(&tenant, "webhook_token.revoked").await;
    assert_eq!((revoked.len(), &revoked[0]["actor"]), (1, &json!("worker")));
    for url in [&old, &new] {
        raven.guard(&token(url));
    }
}

#[tokio::test]
async fn a_strangers_url_is_replaced_and_after_some_times_left_alone() {
    let mut raven =
        Raven::without_worker("a_strangers_url_is_replaced_and_after_some_times_left_alone").await;
    raven.start_worker_with(&KEEN).await;
    let tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({"events": ["open", "sent"]})).await.expect(200);
    let foreign = "https://raven:rwtother@other.example/v1/webhooks";
    let take = async || {
        let body = json!({"Url": foreign});
        raven.sim.rest(&tenant.account, Method::PUT, "eventcallbackurl/open|false", &body).await.expect(200);
    };
    for _ in 0..3 {
        take().await;
        let read = async || url(&raven, &tenant, "open", false).await.unwrap();
        until("the place to be taken back", read, |url| url != foreign).await;
        // Noted after Mailjet was told; the next taking is another one only then.
        let noted = audit(&tenant, "webhooks.healed").await.len();
        let read = async || audit(&tenant, "webhooks.healed").await.len();
        until("the note", read, |count| *count >= noted.max(1)).await;
        settled(&tenant).await;
    }
    take().await;
    let shown = async || tenant.get(PATH).await.expect(200)["registration"].clone();
    until("contested", shown, |registration| registration["contestedAt"].is_string()).await;
    settled(&tenant).await;
    assert_eq!(url(&raven, &tenant, "open", false).await.as_deref(), Some(foreign));
    assert_eq!(audit(&tenant, "webhooks.healed").await.len(), 3);
    assert_eq!(audit(&tenant, "webhooks.contested").await.len(), 1);
    // What nobody fights for is looked after all the same.
    let before = url(&raven, &tenant, "sent", false).await;
    raven.sim.bury(&tenant.account.0, "sent|false").await;
    until("the other to be healed", async || url(&raven, &tenant, "sent", false).await, |url| *url != before)
        .await;

    let again = tenant.post(PATH, &json!({"events": ["open", "sent"]})).await.expect(200);
    assert_eq!(again["registration"]["contestedAt"], Value::Null);
    assert_ne!(url(&raven, &tenant, "open", false).await.as_deref(), Some(foreign));
}

/// Waits for a whole check that began after this call: the end of the one under way, and the end of the next.
async fn settled(tenant: &Tenant) {
    for _ in 0..2 {
        let read = async || tenant.get(PATH).await.expect(200)["registration"]["checkedAt"].clone();
        let before = read().await;
        until("another check", read, |at| *at != before).await;
    }
}

#[tokio::test]
async fn two_workers_heal_once() {
    let mut raven = Raven::without_worker("two_workers_heal_once").await;
    for _ in 0..2 {
        raven.start_worker_with(&KEEN).await;
    }
    let tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({})).await.expect(200);
    let events = ["sent", "open", "click", "bounce"];
    for (count, event) in (1..).zip(events) {
        let before = url(&raven, &tenant, event, false).await;
        raven.sim.bury(&tenant.account.0, &format!("{event}|false")).await;
        let read = async || url(&raven, &tenant, event, false).await;
        until("healed", read, |url| *url != before).await;
        settled(&tenant).await;
        assert_eq!(audit(&tenant, "webhooks.healed").await.len(), count);
    }
    let rows = raven.sim.callbacks(&tenant.account.0).await;
    assert_eq!(rows.len(), 7);
    assert_eq!(audit(&tenant, "webhook_token.created").await.len(), 1 + events.len(), "one token for each");
}

#[tokio::test]
async fn what_fails_half_way_is_completed_and_an_account_may_go() {
    let mut raven = Raven::without_worker("what_fails_half_way_is_completed_and_an_account_may_go").await;
    raven.start_worker_with(&KEEN).await;
    let tenant = with_account(&raven).await;
    raven.proxies.mailjet.cut();
    tenant.post(PATH, &json!({})).await.problem(503, "provider_unavailable");
    tenant.get(PATH).await.problem(503, "provider_unavailable");
    delete(&tenant, PATH).await.problem(503, "provider_unavailable");
    raven.proxies.mailjet.heal();
    tenant.post(PATH, &json!({})).await.expect(200);
    assert_eq!(raven.sim.callbacks(&tenant.account.0).await.len(), 7);
    let gone = raven.sim.callbacks(&tenant.account.0).await[0]["ID"].clone();
    let path = format!("eventcallbackurl/{gone}");
    raven.sim.rest(&tenant.account, Method::DELETE, &path, &Value::Null).await;
    let rows = async || raven.sim.callbacks(&tenant.account.0).await.len();
    until("what is missing to be there again", rows, |count| *count == 7).await;

    assert_eq!(delete(&tenant, "/v1/providers/mailjet").await.status, 204);
    tenant.get(PATH).await.problem(409, "conflict");
    // The worker meets a tenant without an account, and goes on.
    let log = |raven: &Raven| raven.workers[0].log().matches("has no Mailjet account").count();
    until("the worker's word", async || log(&raven), |count| *count == 1).await;
    tenant.set_provider().await;
    settled(&tenant).await;
    assert_eq!(log(&raven), 1, "told once");
    assert_eq!(delete(&tenant, "/v1/providers/mailjet").await.status, 204);
    assert_eq!(delete(&tenant, PATH).await.status, 204);
    assert_eq!(tokens(&tenant, true).await, [] as [Value; 0]);
}

#[tokio::test]
async fn operators_register_by_the_command_line() {
    let raven = Raven::without_worker("operators_register_by_the_command_line").await;
    let tenant = with_account(&raven).await;
    let run = async |arguments: &[&str]| {
        let all = [&["webhook"], arguments, &["--tenant", &tenant.id, "--json"]].concat();
        raven.cli(&all, "").await
    };
    let refused = run(&["register"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("RAVEN_PUBLIC_URL"), "{refused:?}");
    let made = run(&["register", "--url", "https://raven.example.com", "--event", "spam"]).await.json();
    assert_eq!((&made["data"][0]["event"], &made["data"][0]["ours"]), (&json!("spam"), &json!(true)));
    assert_eq!(run(&["list"]).await.json(), made);
    let shown = tenant.get(PATH).await.expect(200);
    assert_eq!(shown["data"], made["data"]);
    assert_eq!(shown["registration"]["events"], json!(["spam"]));
    assert_eq!(shown["registration"], made["registration"]);
    assert_eq!(audit(&tenant, "webhooks.registered").await[0]["actor"], "cli");
    run(&["remove"]).await.json();
    eventually("nothing left", async || {
        raven.sim.callbacks(&tenant.account.0).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(run(&["remove"]).await.status.code(), Some(3));
}

//! The tokens in the webhooks that Raven registers: those that work stay, whatever fails beside them.

use reqwest::Url;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, http, wait::until};

const PATH: &str = "/v1/providers/mailjet/webhooks";
/// A worker that looks often, and a grace that ends within a test.
const KEEN: [(&str, &str); 2] = [("RAVEN_WEBHOOK_CHECK", "100ms"), ("RAVEN_WEBHOOK_TOKEN_GRACE", "300ms")];
/// Mailjet refuses it.
const REFUSED: &str = "https://standby.invalid";

async fn with_account(raven: &Raven) -> Tenant {
    let tenant = raven.bare_tenant().await;
    tenant.set_provider().await;
    tenant
}

/// The URL at Mailjet for mail that was delivered.
async fn url(raven: &Raven, account: &str) -> Option<String> {
    let rows = raven.sim.callbacks(account).await;
    let row = rows.iter().find(|row| row["EventType"] == "sent" && row["IsBackup"] == false)?;
    Some(row["Url"].as_str().unwrap().to_owned())
}

fn secret(url: &str) -> String {
    url.parse::<Url>().unwrap().password().expect("a token").to_owned()
}

/// How events are answered there.
async fn status(url: &str) -> u16 {
    http::send(http::client().post(url).body("[]")).await.status
}

async fn managed(tenant: &Tenant) -> usize {
    let answer = tenant.get("/v1/webhook-tokens").await.expect(200);
    answer["data"].as_array().unwrap().iter().filter(|row| row["managed"] == true).count()
}

async fn revoked(tenant: &Tenant) -> usize {
    let path = "/v1/audit-log?action=webhook_token.revoked&limit=500";
    tenant.get(path).await.expect(200)["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repair_that_keeps_failing_harms_no_webhook_that_works() {
    let mut raven = Raven::without_worker("a_repair_that_keeps_failing_harms_no_webhook_that_works").await;
    let tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({"events": ["sent"]})).await.expect(200);
    let good = url(&raven, &tenant.account.0).await.unwrap();
    let wish = json!({"events": ["sent"], "backupUrl": REFUSED});
    let problem = tenant.post(PATH, &wish).await;
    assert!((400..600).contains(&problem.status), "{problem:?}");
    raven.start_worker_with(&KEEN).await;
    // More tries than there may be tokens at once.
    until("many tries", async || revoked(&tenant).await, |count| *count > 20).await;
    assert_eq!(url(&raven, &tenant.account.0).await.as_ref(), Some(&good), "nothing was wrong with it");
    assert_eq!(status(&good).await, 200);
    assert!(managed(&tenant).await <= 2, "what came to nothing does not pile up");
    let shown = tenant.get(PATH).await.expect(200);
    let fault = shown["registration"]["fault"].as_str().expect("a fault");
    assert!(!fault.contains("rwt"), "{fault}");
    raven.guard(&secret(&good));
}

#[tokio::test]
async fn a_registration_that_fails_leaves_webhooks_without_a_token_alone() {
    let mut raven =
        Raven::without_worker("a_registration_that_fails_leaves_webhooks_without_a_token_alone").await;
    let tenant = with_account(&raven).await;
    assert_eq!(tenant.webhook("[]").await.status, 200);
    let refused = tenant.post(PATH, &json!({"url": REFUSED})).await;
    assert!((400..600).contains(&refused.status), "{refused:?}");
    assert_eq!(managed(&tenant).await, 0);
    // A process that knows nothing of before.
    let fresh = raven.start_ingest().await;
    assert_eq!(tenant.at(&fresh).webhook("[]").await.status, 200);
    tenant.post(PATH, &json!({})).await.expect(200);
    let fresh = raven.start_ingest().await;
    assert_eq!(tenant.at(&fresh).webhook("[]").await.status, 401, "now there are URLs with a token");
    raven.guard(&secret(&url(&raven, &tenant.account.0).await.unwrap()));
}

#[tokio::test]
async fn a_token_that_mailjet_may_have_taken_closes_no_door_and_is_good() {
    let mut raven =
        Raven::without_worker("a_token_that_mailjet_may_have_taken_closes_no_door_and_is_good").await;
    let tenant = with_account(&raven).await;
    // As after a request that ended between Mailjet's answer and ours: the token is stored, and no more.
    tenant.post(PATH, &json!({"events": ["sent"]})).await.expect(200);
    let carried = url(&raven, &tenant.account.0).await.unwrap();
    let session = raven.database.session().await;
    let forget = "update webhook_tokens set carried_at = null, unused_since = now() where managed";
    session.client.execute(forget, &[]).await.unwrap();
    let fresh = raven.start_ingest().await;
    let there = |base: &Url| {
        let mut url: Url = carried.parse().unwrap();
        url.set_port(base.port()).unwrap();
        url.to_string()
    };
    assert_eq!(tenant.at(&fresh).webhook("[]").await.status, 200);
    assert_eq!(status(&there(&fresh)).await, 200);
    raven.start_worker_with(&KEEN).await;
    // The next check finds it.
    let without = async || tenant.at(&fresh).webhook("[]").await.status;
    until("the door to close", without, |status| *status == 401).await;
    assert_eq!(status(&there(&fresh)).await, 200);
    assert_eq!(url(&raven, &tenant.account.0).await.as_ref(), Some(&carried), "nothing had to be put right");
    raven.guard(&secret(&carried));
}

#[tokio::test]
async fn webhooks_of_an_account_that_was_exchanged_are_still_taken() {
    let mut raven = Raven::without_worker("webhooks_of_an_account_that_was_exchanged_are_still_taken").await;
    let mut tenant = with_account(&raven).await;
    tenant.post(PATH, &json!({"events": ["sent"]})).await.expect(200);
    let old = url(&raven, &tenant.account.0).await.unwrap();
    tenant.account = (format!("{}0", tenant.account.0), tenant.account.1.clone());
    tenant.set_provider().await;
    raven.start_worker_with(&KEEN).await;
    let read = async || url(&raven, &tenant.account.0).await;
    let first = until("webhooks on the other account", read, Option::is_some).await.unwrap();
    raven.sim.bury(&tenant.account.0, "sent|false").await;
    // A token that is really used no more tells that the grace is over.
    until("its token to end", async || status(&first).await, |status| *status == 401).await;
    assert_eq!(status(&old).await, 200);
    let new = url(&raven, &tenant.account.0).await.unwrap();
    for url in [&old, &first, &new] {
        raven.guard(&secret(url));
    }
}

#[tokio::test]
async fn removing_and_registering_at_once_leave_no_webhook_with_a_token_that_is_refused() {
    let mut raven = Raven::without_worker(
        "removing_and_registering_at_once_leave_no_webhook_with_a_token_that_is_refused",
    )
    .await;
    raven.start_worker_with(&KEEN).await;
    let tenant = with_account(&raven).await;
    for round in 0..15 {
        tenant.post(PATH, &json!({})).await;
        raven.sim.bury(&tenant.account.0, "sent|false").await;
        let wish = json!({"events": ["sent", "open", "spam"]});
        let (posted, deleted) = tokio::join!(tenant.post(PATH, &wish), tenant.delete(PATH));
        for reply in [&posted, &deleted] {
            assert!(matches!(reply.status, 200 | 204 | 404 | 409), "{reply:?}");
        }
        let shown = tenant.get(PATH).await.expect(200);
        if shown["registration"] == Value::Null {
            assert_eq!(managed(&tenant).await, 0, "round {round}");
            let left = async || raven.sim.callbacks(&tenant.account.0).await.len();
            until("nothing to be left", left, |count| *count == 0).await;
        }
        if posted.status == 200 && deleted.status == 404 {
            assert_ne!(shown["registration"], Value::Null, "what was answered 200 is kept, round {round}");
        }
        tenant.post(PATH, &json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn webhooks_with_own_credentials_go_when_the_wish_changes() {
    let raven = Raven::without_worker("webhooks_with_own_credentials_go_when_the_wish_changes").await;
    let tenant = with_account(&raven).await;
    let first = json!({"url": "https://me:mine@x.example/hook", "events": ["sent", "spam"]});
    tenant.post(PATH, &first).await.expect(200);
    // A change that Mailjet refuses forgets nothing.
    let refused = json!({"url": "https://me:mine@y.invalid/hook", "events": ["sent"]});
    let problem = tenant.post(PATH, &refused).await;
    assert!((400..600).contains(&problem.status), "{problem:?}");
    assert!(!format!("{problem:?}").contains("mine"), "{problem:?}");
    let shown = tenant.get(PATH).await.expect(200);
    assert!(shown["data"].as_array().unwrap().iter().all(|row| row["ours"] == true), "{shown}");

    tenant.post(PATH, &json!({"events": ["open"]})).await.expect(200);
    let rows = raven.sim.callbacks(&tenant.account.0).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["EventType"], "open");
}

//! `raven events renormalise`: stored raw items are read again with the rules of this version.

use serde_json::{Value, json};

use crate::harness::{Raven, Tenant};

/// Makes the database look as if another version had read the events: one that did not know any of them, or one that
/// took every bounce for a hard one.
const NOT_UNDERSTOOD: &str = "
update delivery_events set kind = 'unknown', recipient_status = null, recipient = '', recipient_key = '', message_id = null,
    custom_id = null, provider_message_id = null, provider_message_uuid = null, reason = null,
    fingerprint = decode(md5(fingerprint::text), 'hex');
update recipients set status = 40;
update messages set status = 40;
delete from suppressions";
const TAKEN_FOR_HARD: &str = "
update delivery_events set kind = 'hard_bounce', recipient_status = 80 where kind = 'soft_bounce';
update recipients set status = 80 where status = 50;
update messages set status = 80 where status = 50;
insert into suppressions (tenant_id, email_key, email, reason, event_id)
    select tenant_id, recipient_key, recipient, 'hard_bounce', id from delivery_events where kind = 'hard_bounce'
    on conflict do nothing";

async fn renormalise(raven: &Raven, more: &[&str]) -> Value {
    let arguments = [&["events", "renormalise", "--since", "2025-12-01", "--json"], more].concat();
    raven.cli(&arguments, "").await.json()
}

/// Everything that the API shows of a tenant.
async fn everything(tenant: &Tenant, ids: &[String]) -> Value {
    let mut messages = Vec::new();
    for id in ids {
        let mut message = tenant.message(id).await;
        // When a row was last written is not what it says.
        message["updatedAt"] = Value::Null;
        messages.push(message);
    }
    let mut suppressions = tenant.get("/v1/suppressions").await.expect(200);
    for row in suppressions["data"].as_array_mut().unwrap() {
        row["createdAt"] = Value::Null;
    }
    json!([messages, tenant.feed("limit=500").await.0, suppressions])
}

/// Four messages with events of every weight.
async fn told(tenant: &Tenant) -> Vec<String> {
    let mut ids = Vec::new();
    for local in ["sent", "hard", "soft", "open"] {
        let (id, copy) = tenant.silent(local).await;
        let (event, kind) = match local {
            "sent" => (copy.sent(1), "delivered"),
            "hard" => (copy.hard_bounce(2), "hard_bounce"),
            "soft" => (copy.soft_bounce(3), "soft_bounce"),
            _ => (copy.open(4), "open"),
        };
        tenant.tell(&[event]).await;
        tenant.told(&id, &[kind]).await;
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn what_was_not_understood_is_made_good() {
    let raven = Raven::start("what_was_not_understood_is_made_good").await;
    let tenant = raven.tenant().await;
    let ids = told(&tenant).await;
    let before = everything(&tenant, &ids).await;
    let nothing = renormalise(&raven, &[]).await;
    assert_eq!((&nothing["read"], &nothing["changed"]), (&json!(4), &json!(0)), "{nothing}");

    let session = raven.database.session().await;
    session.client.batch_execute(NOT_UNDERSTOOD).await.unwrap();
    let broken = everything(&tenant, &ids).await;
    assert_ne!(broken, before);
    let trial = renormalise(&raven, &["--dry-run"]).await;
    assert_eq!((&trial["changed"], &trial["dryRun"]), (&json!(4), &json!(true)), "{trial}");
    assert_eq!(everything(&tenant, &ids).await, broken, "a trial changes nothing");

    let other = raven.bare_tenant().await;
    let elsewhere = renormalise(&raven, &["--tenant", &other.id]).await;
    assert_eq!(elsewhere["read"], 0);
    let done = renormalise(&raven, &["--tenant", &tenant.id]).await;
    assert_eq!(done["changed"], 4, "{done}");
    assert!(
        done["changes"].as_array().unwrap().contains(&json!({"from": "unknown", "to": "open", "events": 1})),
        "{done}"
    );
    assert_eq!(everything(&tenant, &ids).await, before);
    assert_eq!(renormalise(&raven, &[]).await["changed"], 0, "a second run finds nothing to do");

    // And a repeat of what was renormalised is still a repeat.
    let (events, _) = tenant.feed("limit=500").await;
    let again: Vec<Value> = events.iter().map(|event| event["raw"].clone()).collect();
    tenant.tell(&again).await;
    tenant.drained().await;
    assert_eq!(tenant.feed("limit=500").await.0.len(), events.len() + 1, "one more marker and nothing else");
}

#[tokio::test]
async fn what_was_read_too_harshly_is_taken_back() {
    let raven = Raven::start("what_was_read_too_harshly_is_taken_back").await;
    let tenant = raven.tenant().await;
    let ids = told(&tenant).await;
    let before = everything(&tenant, &ids).await;
    let session = raven.database.session().await;
    session.client.batch_execute(TAKEN_FOR_HARD).await.unwrap();
    assert_eq!(tenant.events(&ids[2]).await[0]["type"], "hard_bounce");

    let done = renormalise(&raven, &[]).await;
    assert_eq!(done["changes"], json!([{"from": "hard_bounce", "to": "soft_bounce", "events": 1}]));
    let soft = "silent+soft@example.com";
    assert_eq!(
        done["stillSuppressed"],
        json!([{"tenantId": tenant.id, "email": soft, "reason": "hard_bounce"}]),
        "a person decides who is taken off the list"
    );
    let path = format!("/v1/suppressions/{}", soft.replace('+', "%2B"));
    let reply = crate::harness::http::send(tenant.request(reqwest::Method::DELETE, &path)).await;
    assert!(reply.status < 300, "{reply:?}");
    assert_eq!(everything(&tenant, &ids).await, before);
}

#[tokio::test]
async fn what_never_was_is_taken_back_and_what_was_forgiven_stays_so() {
    let raven = Raven::start("what_never_was_is_taken_back_and_what_was_forgiven_stays_so").await;
    let tenant = raven.tenant().await;
    let ids = told(&tenant).await;
    let hard = "silent+hard@example.com";
    let path = format!("/v1/suppressions/{}", hard.replace('+', "%2B"));
    let reply = crate::harness::http::send(tenant.request(reqwest::Method::DELETE, &path)).await;
    assert!(reply.status < 300, "{reply:?}");
    // As if the bounce had been read without its reason, and a made-up event for that of a message.
    let session = raven.database.session().await;
    let otherwise = "
        update delivery_events set reason = null where kind = 'hard_bounce';
        update delivery_events set raw = regexp_replace(raw, '\"MessageID\":\\d+', '\"MessageID\":0') where kind = 'delivered'";
    session.client.batch_execute(otherwise).await.unwrap();
    let done = renormalise(&raven, &[]).await;
    assert_eq!(done["changed"], 2, "{done}");
    assert_eq!(tenant.message(&ids[0]).await["status"], "sent", "nothing is left that says more");
    assert_eq!(tenant.events(&ids[0]).await, Vec::<Value>::new());
    assert_eq!(tenant.events(&ids[1]).await[0]["reason"], "550 5.1.1 no such user");
    assert_eq!(tenant.suppression(hard).await, None, "who was taken off the list stays off");
    assert_eq!(renormalise(&raven, &[]).await["changed"], 0);
}

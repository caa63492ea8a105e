//! Messages that are withdrawn, or tried again, by hand.

use std::collections::HashMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Raven, Tenant, http, http::Reply, plain, wait::until};

async fn act(tenant: &Tenant, id: &str, what: &str) -> Reply {
    http::send(tenant.request(Method::POST, &format!("/v1/messages/{id}/{what}"))).await
}

/// The words of a refusal.
fn refused(reply: &Reply) -> String {
    reply.problem(409, "conflict")["detail"].as_str().unwrap().to_owned()
}

/// No worker will ever take any message.
async fn nothing_waits(raven: &Raven) {
    let session = raven.database.session().await;
    let waiting = "select count(*) from messages where due_at is not null";
    assert_eq!(session.client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Has a mail wait for its time, and answers its id.
async fn schedule(tenant: &Tenant, to: &str, at: Timestamp) -> String {
    let mut message = plain(to);
    message["scheduledAt"] = json!(at);
    let answer = tenant.post("/v1/messages", &message).await.expect(200);
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_scheduled_message_is_withdrawn() {
    let raven = Raven::start("a_scheduled_message_is_withdrawn").await;
    let (tenant, stranger) = (raven.tenant().await, raven.bare_tenant().await);
    let made = ["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"];
    let made = raven.cli(&made, "").await.json();
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    let sender = tenant.with_key(key);
    let id = schedule(&sender, "ann@example.com", Timestamp::now() + SignedDuration::from_hours(1)).await;
    sender.settled(&id, "scheduled").await;
    for what in ["cancel", "retry"] {
        act(&stranger, &id, what).await.problem(404, "not_found");
        act(&tenant, &Uuid::new_v4().to_string(), what).await.problem(404, "not_found");
        act(&tenant, "not-a-uuid", what).await.problem(404, "not_found");
        act(&tenant.with_key(""), &id, what).await.problem(401, "unauthorized");
        sender.get(&format!("/v1/messages/{id}/{what}")).await.problem(405, "method_not_allowed");
    }
    assert!(refused(&act(&sender, &id, "retry").await).contains("waits for its time"));

    let canceled = act(&sender, &id, "cancel").await.expect(200);
    assert_eq!((&canceled["id"], &canceled["status"]), (&json!(id), &json!("canceled")));
    assert_eq!(canceled["recipients"][0]["status"], "canceled");
    assert!(refused(&act(&sender, &id, "cancel").await).contains("canceled already"));
    assert!(refused(&act(&sender, &id, "retry").await).contains("was canceled"));
    nothing_waits(&raven).await;
    let sent = tenant.send_to("bob@example.com").await;
    tenant.settled(&sent, "delivered").await;
    assert!(refused(&act(&sender, &sent, "cancel").await).contains("was sent already"));
    assert!(refused(&act(&sender, &sent, "retry").await).contains("was sent"));
    assert!(raven.sim.copies(&id).await.is_empty());
    assert_eq!(sender.message(&id).await, canceled);
}

#[tokio::test]
async fn a_message_that_waits_for_another_attempt_is_withdrawn() {
    let raven = Raven::start("a_message_that_waits_for_another_attempt_is_withdrawn").await;
    let tenant = raven.tenant().await;
    tenant.post("/v1/suppressions", &json!({"email": "eve@example.com"})).await.expect(200);
    raven.sim.fault("rate_limit", None, 0).await;
    let to = ["ann@example.com", "eve@example.com", "bob@example.com"];
    let id = tenant.send(&json!({"to": to, "subject": "Hello", "bodyText": "Hello"})).await;
    let queued = tenant.settled(&id, "queued").await;
    assert!(queued["attempts"].as_u64().unwrap() >= 1 && queued["error"].is_object(), "{queued}");
    // While an attempt is under way it is refused.
    let cancel = async || act(&tenant, &id, "cancel").await;
    let canceled = until("the message to be withdrawn", cancel, |reply| {
        let done = reply.status == 200;
        assert!(done || !refused(reply).is_empty());
        done
    });
    let canceled = canceled.await.json();
    let statuses: Vec<&Value> =
        canceled["recipients"].as_array().unwrap().iter().map(|row| &row["status"]).collect();
    assert_eq!(statuses, ["canceled", "suppressed", "canceled"]);
    raven.sim.heal().await;
    nothing_waits(&raven).await;
    assert!(raven.sim.copies(&id).await.is_empty());
    assert_eq!(tenant.message(&id).await, canceled);
}

#[tokio::test]
async fn a_message_is_withdrawn_or_sent_and_never_both() {
    let raven = Raven::start("a_message_is_withdrawn_or_sent_and_never_both").await;
    let tenant = raven.tenant().await;
    // Due one after the other, so that the cancellations meet some before, some while and some after a worker takes them.
    let start = Timestamp::now() + SignedDuration::from_secs(2);
    let due = (0..40).map(|number| start + SignedDuration::from_millis(number * 20));
    let ids = join_all(due.map(|due| schedule(&tenant, "silent@example.com", due))).await;
    let list = async || tenant.get("/v1/messages").await.expect(200)["data"].as_array().unwrap().len();
    until("all to be stored", list, |&stored| stored == ids.len()).await;
    let first = async || tenant.message(&ids[0]).await["status"].clone();
    until("the first one to be due", first, |status| status != "scheduled").await;
    let replies = join_all(ids.iter().map(|id| act(&tenant, id, "cancel"))).await;
    let mut fates: HashMap<&str, u32> = HashMap::new();
    for (id, reply) in ids.iter().zip(&replies) {
        let (fate, copies) = if reply.status == 200 { ("canceled", 0) } else { ("sent", 1) };
        assert!(fate == "canceled" || !refused(reply).is_empty());
        let message = tenant.settled(id, fate).await;
        assert_eq!(message["recipients"][0]["status"], fate, "{message}");
        assert_eq!(raven.sim.copies(id).await.len(), copies, "{message}");
        *fates.entry(fate).or_default() += 1;
    }
    assert!(fates.contains_key("sent") && fates.values().sum::<u32>() == 40, "{fates:?}");
}

/// A message that was given up, since Mailjet refused the account until the retry window was over.
async fn given_up(raven: &mut Raven, tenant: &Tenant) -> String {
    raven.start_worker_with(&[("RAVEN_RETRY_WINDOW", "1s")]).await;
    raven.sim.fault("unauthorized", None, 0).await;
    let id = tenant.send_to("ann@example.com").await;
    let failed = tenant.settled(&id, "failed").await;
    assert!(failed["error"].is_object(), "{failed}");
    raven.sim.heal().await;
    id
}

#[tokio::test]
async fn a_message_that_failed_is_tried_again() {
    let mut raven = Raven::without_worker("a_message_that_failed_is_tried_again").await;
    let tenant = raven.tenant().await;
    let id = given_up(&mut raven, &tenant).await;
    let before = tenant.message(&id).await["attempts"].as_u64().unwrap();
    assert!(refused(&act(&tenant, &id, "cancel").await).contains("has failed already"));
    // Whoever asks at the same moment, it goes out once.
    let replies = join_all((0..5).map(|_| act(&tenant, &id, "retry"))).await;
    let (done, not): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((done.len(), done[0].json()["id"].as_str()), (1, Some(&*id)));
    assert!(not.iter().all(|reply| refused(reply).starts_with("Only messages that have failed")));
    let message = tenant.settled(&id, "delivered").await;
    assert_eq!(message["attempts"], before + 1);
    assert!(message["error"].is_null(), "{message}");
    raven.sim.only_copy(&id).await;
    refused(&act(&tenant, &id, "retry").await);
}

#[tokio::test]
async fn what_has_no_content_any_more_is_not_tried_again() {
    let mut raven = Raven::without_worker("what_has_no_content_any_more_is_not_tried_again").await;
    let tenant = raven.tenant().await;
    let id = given_up(&mut raven, &tenant).await;
    let session = raven.database.session().await;
    session.client.batch_execute("delete from message_contents").await.unwrap();
    let before = tenant.message(&id).await;
    assert!(refused(&act(&tenant, &id, "retry").await).contains("content"));
    assert_eq!(tenant.message(&id).await, before);
}

/// As if Mailjet had not answered any question until the retry window was over.
async fn never_found_out(raven: &Raven, tenant: &Tenant, id: &str) {
    let session = raven.database.session().await;
    let id: Uuid = id.parse().unwrap();
    let message =
        "update messages set status = 30, due_at = null, asks = false, error_code = 'outcome_unknown',
        error_message = 'It was not found out.' where id = $1";
    session.client.execute(message, &[&id]).await.unwrap();
    let recipients =
        "update recipients set status = 30, provider_message_id = null, provider_message_uuid = null
        where message_id = $1";
    session.client.execute(recipients, &[&id]).await.unwrap();
    assert_eq!(tenant.message(&id.to_string()).await["error"]["code"], "outcome_unknown");
}

#[tokio::test]
async fn mailjet_is_asked_before_what_it_may_have_is_sent_again() {
    let raven = Raven::start("mailjet_is_asked_before_what_it_may_have_is_sent_again").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("had").await;
    never_found_out(&raven, &tenant, &id).await;
    let asked = act(&tenant, &id, "retry").await.expect(200);
    assert!(asked["error"].is_null() && asked["status"] != "queued", "{asked}");
    let message = tenant.settled(&id, "sent").await;
    assert_eq!((&message["attempts"], &message["error"]), (&json!(1), &Value::Null));
    assert_eq!(message["recipients"][0]["providerMessageId"], copy.number.to_string());
    raven.sim.only_copy(&id).await;

    raven.sim.fault("drop_before", Some(1), 0).await;
    raven.sim.fault("lookup_error", None, 0).await;
    let id = tenant.send_to("silent+lost@example.com").await;
    let sending = async || tenant.settled(&id, "sending").await["error"].clone();
    until("the attempt to end without an answer", sending, Value::is_object).await;
    never_found_out(&raven, &tenant, &id).await;
    raven.sim.heal().await;
    act(&tenant, &id, "retry").await.expect(200);
    let message = tenant.settled(&id, "sent").await;
    assert_eq!(message["attempts"], 2, "sent again once Mailjet has not heard of it");
    raven.sim.only_copy(&id).await;
}

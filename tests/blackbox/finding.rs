//! Which message an event belongs to: by our id, by Mailjet's number, by Mailjet's UUID; only within the tenant.

use serde_json::{Value, json};

use crate::harness::{Copy, Raven, wait::until};

/// The event without some of its fields, and with others.
fn but(mut event: Value, without: &[&str], with: &Value) -> Value {
    let fields = event.as_object_mut().expect("an object");
    for name in without {
        fields.remove(*name);
    }
    for (name, value) in with.as_object().into_iter().flatten() {
        fields.insert(name.clone(), value.clone());
    }
    event
}

#[tokio::test]
async fn any_id_of_the_message_will_do() {
    let raven = Raven::start("any_id_of_the_message_will_do").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("ids").await;
    #[expect(clippy::cast_precision_loss, reason = "this is what other programs do to the id")]
    let rounded = copy.number as f64;
    tenant
        .tell(&[
            but(copy.event("open", 1, &json!({})), &["MessageID", "Message_GUID"], &json!({})),
            but(copy.event("open", 2, &json!({})), &["CustomID", "Message_GUID"], &json!({})),
            but(copy.event("open", 3, &json!({})), &["CustomID", "MessageID"], &json!({})),
            but(copy.event("open", 4, &json!({})), &["CustomID"], &json!({"MessageID": rounded})),
            but(
                copy.event("open", 5, &json!({})),
                &["Message_GUID"],
                &json!({"CustomID": "their-own", "MessageID": copy.number.to_string()}),
            ),
            but(
                copy.event("open", 6, &json!({})),
                &["MessageID", "CustomID"],
                &json!({"Message_GUID": copy.guid.to_uppercase(), "email": copy.email.to_uppercase()}),
            ),
            but(
                copy.event("open", 7, &json!({})),
                &["MessageID", "Message_GUID", "CustomID"],
                &json!({"mj_message_id": copy.number.to_string()}),
            ),
        ])
        .await;
    tenant.told(&id, &["open"; 7]).await;
    let lost = [
        but(copy.event("open", 8, &json!({})), &["CustomID", "Message_GUID"], &json!({"MessageID": rounded})),
        but(
            copy.event("open", 9, &json!({})),
            &["CustomID", "MessageID"],
            &json!({"Message_GUID": "no-uuid"}),
        ),
    ];
    tenant.tell(&lost).await;
    let (events, _) =
        until("the feed", async || tenant.feed("").await, |(events, _)| events.len() == 9).await;
    assert_eq!(events.iter().filter(|event| event["messageId"].is_null()).count(), 2);
}

#[tokio::test]
async fn an_event_finds_only_messages_of_its_tenant() {
    let raven = Raven::start("an_event_finds_only_messages_of_its_tenant").await;
    let (tenant, other) = (raven.tenant().await, raven.bare_tenant().await);
    let (id, copy) = tenant.silent("walls").await;
    let ways: [&[&str]; 3] =
        [&["MessageID", "Message_GUID"], &["CustomID", "Message_GUID"], &["CustomID", "MessageID"]];
    for (second, without) in (1..).zip(ways) {
        other.tell(&[but(copy.spam(second), without, &json!({}))]).await;
    }
    other.drained().await;
    let (events, _) = other.feed("type=spam_complaint").await;
    assert_eq!(events.len(), 4, "three, and the last one");
    assert!(events.iter().all(|event| event["messageId"].is_null()), "{events:?}");
    assert_eq!(tenant.message(&id).await["status"], "sent");
    assert_eq!(tenant.events(&id).await, Vec::<Value>::new());
    assert_eq!(tenant.suppression(&copy.email).await, None);
}

/// Without our id, an event can only be linked when Mailjet's ids of the message are known, and it may come before.
#[tokio::test]
async fn events_without_our_id_are_linked_when_mailjets_ids_are_known() {
    let raven = Raven::start("events_without_our_id_are_linked_when_mailjets_ids_are_known").await;
    let tenant = raven.tenant().await;
    let mut copies: Vec<(String, Copy)> = Vec::new();
    for local in ["by-number", "by-uuid"] {
        copies.push(tenant.silent(local).await);
    }
    // As if the answer of the send had not been recorded yet.
    let session = raven.database.session().await;
    let forget = "create table remembered as select * from recipients;
        update recipients set provider_message_id = null, provider_message_uuid = null";
    session.client.batch_execute(forget).await.unwrap();
    tenant.tell(&[but(copies[0].1.sent(1), &["CustomID", "Message_GUID"], &json!({}))]).await;
    tenant.tell(&[but(copies[1].1.sent(1), &["CustomID", "MessageID", "mj_message_id"], &json!({}))]).await;
    let (events, _) =
        until("the feed", async || tenant.feed("").await, |(events, _)| events.len() == 2).await;
    assert!(events.iter().all(|event| event["messageId"].is_null()), "{events:?}");
    let remember = "update recipients r
        set provider_message_id = o.provider_message_id, provider_message_uuid = o.provider_message_uuid
        from remembered o where o.message_id = r.message_id and o.email_key = r.email_key";
    session.client.batch_execute(remember).await.unwrap();
    for (id, _) in &copies {
        tenant.told(id, &["delivered"]).await;
        tenant.settled(id, "delivered").await;
    }
}

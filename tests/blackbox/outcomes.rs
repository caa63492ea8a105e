//! What Mailjet tells after a send: status, events and suppressions, for each address that makes it happen.

use serde_json::{Value, json};

use crate::harness::{Raven, http, wait::until};

/// Local part, last status, events in order, and why the address is suppressed afterwards.
const OUTCOMES: [(&str, &str, &[&str], Option<&str>); 9] = [
    ("ann", "delivered", &["delivered"], None),
    ("bounce", "bounced", &["hard_bounce"], Some("hard_bounce")),
    ("soft", "bounced", &["soft_bounce"], None),
    ("spam", "complained", &["delivered", "spam_complaint"], Some("spam_complaint")),
    ("unsub", "unsubscribed", &["delivered", "unsubscribe"], Some("unsubscribed")),
    ("blocked", "blocked", &["blocked"], None),
    ("greylisted", "delivered", &["deferred", "delivered"], None),
    ("open", "delivered", &["delivered", "open"], None),
    ("click", "delivered", &["delivered", "open", "click"], None),
];

#[tokio::test]
async fn each_outcome_has_its_status_events_and_suppression() {
    let raven = Raven::start("each_outcome_has_its_status_events_and_suppression").await;
    let tenant = raven.tenant().await;
    let mut sent = Vec::new();
    for outcome in OUTCOMES {
        sent.push((tenant.send_to(&format!("{}@example.com", outcome.0)).await, outcome));
    }
    for (id, (local, status, types, suppression)) in sent {
        let events = tenant.told(&id, types).await;
        let message = tenant.settled(&id, status).await;
        assert_eq!(message["recipients"][0]["status"], status, "{message}");
        let email = format!("{local}@example.com");
        assert_eq!(tenant.suppression(&email).await.as_deref(), suppression, "{local}");
        for event in &events {
            assert_eq!(event["messageId"], json!(id));
            assert_eq!(event["recipient"], json!(email));
            assert_eq!(event["providerMessageId"], message["providerMessageId"]);
        }
        let times: Vec<&str> = events.iter().map(|event| event["occurredAt"].as_str().unwrap()).collect();
        assert!(times.is_sorted(), "oldest first: {times:?}");
        assert_reader(&events);
    }
}

/// Opens and clicks say whence and by what, and other events do not.
fn assert_reader(events: &[Value]) {
    for event in events {
        let read = ["open", "click"].contains(&event["type"].as_str().unwrap());
        assert_eq!(event["ip"].is_string(), read || event["type"] == "unsubscribe", "{event}");
        assert_eq!(event["url"].is_string(), event["type"] == "click", "{event}");
        if read {
            assert_eq!((&event["ip"], &event["geo"]), (&json!("127.0.0.1"), &json!("FR")));
            assert!(event["userAgent"].as_str().unwrap().starts_with("Mozilla/5.0"));
        }
        let failed = ["hard_bounce", "soft_bounce", "deferred", "blocked"];
        if failed.contains(&event["type"].as_str().unwrap()) {
            assert!(event["reason"].is_string(), "{event}");
        }
    }
}

#[tokio::test]
async fn suppressed_addresses_get_no_mail() {
    let raven = Raven::start("suppressed_addresses_get_no_mail").await;
    let tenant = raven.tenant().await;
    let bounced = tenant.send_to("bounce@example.com").await;
    tenant.settled(&bounced, "bounced").await;

    let none_left = tenant.send_to("BOUNCE@Example.com").await;
    let message = tenant.settled(&none_left, "suppressed").await;
    assert_eq!(message["recipients"][0]["status"], "suppressed");
    assert!(raven.sim.copies(&none_left).await.is_empty());

    let some_left = json!({
        "to": ["bounce@example.com", "ann@example.com"], "cc": "Bounce@example.com", "subject": "s", "bodyText": "t",
    });
    let some_left = tenant.send(&some_left).await;
    let mail = {
        let read = async || raven.sim.copies(&some_left).await;
        until("the mail", read, |copies| !copies.is_empty()).await.remove(0)
    };
    assert_eq!(mail["recipients"].as_array().unwrap().len(), 1, "{mail}");
    assert_eq!(mail["to"][0]["email"], "ann@example.com");
    tenant.told(&some_left, &["delivered"]).await;
    let message = tenant.message(&some_left).await;
    let rows = message["recipients"].as_array().unwrap();
    let status = |email: &str| rows.iter().find(|row| row["email"] == email).unwrap()["status"].clone();
    assert_eq!(status("bounce@example.com"), "suppressed");
    assert_eq!(status("ann@example.com"), "delivered");

    let stranger = raven.tenant().await;
    let theirs = stranger.send_to("bounce@example.com").await;
    stranger.settled(&theirs, "bounced").await;
}

#[tokio::test]
async fn suppressions_by_hand() {
    let raven = Raven::start("suppressions_by_hand").await;
    let tenant = raven.tenant().await;
    let reply = tenant.post("/v1/suppressions", &json!({"email": "Eve@example.com"})).await;
    assert!([200, 201].contains(&reply.status), "{reply:?}");
    assert_eq!(tenant.suppression("eve@EXAMPLE.com").await.as_deref(), Some("manual"));
    let id = tenant.send_to("eve@example.com").await;
    tenant.settled(&id, "suppressed").await;
    let gone = tenant.request(reqwest::Method::DELETE, "/v1/suppressions/eve@example.com");
    assert_eq!(http::send(gone).await.status, 204);
    assert_eq!(tenant.suppression("eve@example.com").await, None);
    let id = tenant.send_to("eve@example.com").await;
    tenant.settled(&id, "delivered").await;
}

#[tokio::test]
async fn events_may_come_twice_and_last_first() {
    let raven = Raven::start("events_may_come_twice_and_last_first").await;
    let tenant = raven.tenant().await;
    for fault in ["events_duplicate", "events_reorder"] {
        raven.sim.fault(fault, None, 0).await;
    }
    let click = tenant.send_to("click@example.com").await;
    let spam = tenant.send_to("spam@example.com").await;
    // Three deliveries of each event of both messages.
    let delivered = async || raven.sim.stat("eventsDelivered").await;
    until("every repeat", delivered, |count| *count >= 15).await;
    tenant.drained().await;
    tenant.told(&click, &["delivered", "open", "click"]).await;
    tenant.told(&spam, &["delivered", "spam_complaint"]).await;
    assert_eq!(tenant.message(&click).await["status"], "delivered");
    assert_eq!(tenant.message(&spam).await["status"], "complained");
}

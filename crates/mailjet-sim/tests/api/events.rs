//! What happens to mail, by address.

use serde_json::{Value, json};

use crate::{
    harness::{Sim, message, until},
    receiver::Receiver,
};

/// The events of one message to this address, once `count` of them have come.
async fn events_of(address: &str, count: usize) -> (Sim, Receiver, Vec<Value>) {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    assert_eq!(sim.send(&[message(address, "c-1")]).await.0, 200);
    let events = receiver.wait(count).await;
    assert_eq!(events.len(), count, "{events:?}");
    (sim, receiver, events)
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn mail_is_sent() {
    let (sim, _receiver, events) = events_of("Ann@Example.com", 1).await;
    let row = sim.get("/sim/messages?customId=c-1").await["data"][0].clone();
    let recipient = &row["recipients"][0];
    let event = &events[0];
    assert_eq!(event["event"], "sent");
    assert_eq!(event["email"], "ann@example.com");
    assert_eq!(event["MessageID"].as_u64().unwrap().to_string(), recipient["messageId"].as_str().unwrap());
    assert_eq!(event["mj_message_id"], recipient["messageId"]);
    assert_eq!(event["Message_GUID"], recipient["messageUuid"]);
    assert_eq!(event["CustomID"], "c-1");
    assert_eq!(event["Payload"], "payload");
    assert_eq!(event["customcampaign"], "");
    assert!(event["time"].as_i64().unwrap() > 1_700_000_000);
    assert!(event["mj_contact_id"].is_u64() && event["mj_campaign_id"].is_u64());
    assert!(event["smtp_reply"].as_str().unwrap().starts_with("sent (250"));
}

#[tokio::test]
async fn mail_bounces() {
    let (_sim, _receiver, events) = events_of("bounce+1@example.com", 1).await;
    assert_eq!(events[0]["event"], "bounce");
    assert_eq!(events[0]["hard_bounce"], true);
    assert_eq!(events[0]["blocked"], false);
    assert_eq!(events[0]["error"], "user unknown");

    let (_sim, _receiver, events) = events_of("soft@example.com", 1).await;
    assert_eq!(events[0]["hard_bounce"], false);
    assert_eq!(events[0]["error"], "");
    assert_eq!(events[0]["error_related_to"], "");
    assert!(!events[0]["comment"].as_str().unwrap().is_empty());

    let (_sim, _receiver, events) = events_of("greylisted@example.com", 2).await;
    assert_eq!(names(&events), ["bounce", "sent"]);
    assert_eq!(events[0]["error"], "greylisted");
    assert_eq!(events[0]["hard_bounce"], false);
}

#[tokio::test]
async fn mail_is_blocked() {
    let (_sim, _receiver, events) = events_of("blocked@example.com", 1).await;
    assert_eq!(events[0]["event"], "blocked");
    assert_eq!(events[0]["error"], "preblocked");
    let (_sim, _receiver, events) = events_of("duplicate@example.com", 1).await;
    assert_eq!(events[0]["error"], "duplicate in campaign");
    assert_eq!(events[0]["error_related_to"], "mailjet");
}

#[tokio::test]
async fn mail_is_read_and_resented() {
    let (_sim, _receiver, events) = events_of("spam@example.com", 2).await;
    assert_eq!(names(&events), ["sent", "spam"]);
    assert_eq!(events[1]["source"], "JMRPP");
    let (_sim, _receiver, events) = events_of("unsub@example.com", 2).await;
    assert_eq!(names(&events), ["sent", "unsub"]);
    assert!(events[1]["mj_list_id"].is_u64());
    let (_sim, _receiver, events) = events_of("open@example.com", 2).await;
    assert_eq!(names(&events), ["sent", "open"]);
    let (_sim, _receiver, events) = events_of("click@example.com", 3).await;
    assert_eq!(names(&events), ["sent", "open", "click"]);
    assert!(events[2]["url"].is_string() && events[2]["agent"].is_string());
}

#[tokio::test]
async fn some_mail_is_never_heard_of_again() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    sim.send(&[message("silent@example.com", "quiet")]).await;
    assert_eq!(sim.stat("eventsPending").await, 0, "nothing is planned");
    sim.send(&[message("a@example.com", "loud")]).await;
    let events = receiver.wait(1).await;
    assert_eq!(events[0]["CustomID"], "loud");
}

#[tokio::test]
async fn a_deduplicated_campaign_reaches_an_address_once() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    let mut mail = message("a@example.com", "c");
    mail["CustomCampaign"] = json!("spring");
    mail["DeduplicateCampaign"] = json!(true);
    assert_eq!(sim.send(&[mail.clone(), mail]).await.0, 200);
    let events = receiver.wait(2).await;
    assert_eq!(names(&events), ["sent", "blocked"]);
    assert_eq!(events[1]["error"], "duplicate in campaign");
    assert_eq!(events[0]["customcampaign"], "spring");
}

#[tokio::test]
async fn events_are_made_by_hand() {
    let (sim, receiver, _) = events_of("ann@example.com", 1).await;
    let by_hand =
        json!({"event": "spam", "customId": "c-1", "fields": {"source": "by hand", "Payload": null}});
    assert_eq!(sim.post("/sim/events", &by_hand).await.0, 202);
    let events = receiver.wait(2).await;
    assert_eq!(events[1]["event"], "spam");
    assert_eq!(events[1]["source"], "by hand");
    assert_eq!(events[1]["email"], "ann@example.com");
    assert!(events[1].get("Payload").is_none());
    assert_eq!(sim.post("/sim/events", &json!({"event": "spam", "customId": "none"})).await.0, 404);
    assert_eq!(sim.post("/sim/events", &json!({"event": "spam"})).await.0, 400);
    assert_eq!(sim.post("/sim/events", &json!({"event": "odd", "customId": "c-1"})).await.0, 400);
    let status = until("the status to move", || async {
        let row = sim.get("/sim/messages?email=Ann@example.com").await["data"][0]["recipients"][0].clone();
        (row["status"] == "spam").then_some(row)
    });
    assert_eq!(status.await["email"], "ann@example.com");
}

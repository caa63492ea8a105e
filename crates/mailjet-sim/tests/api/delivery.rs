//! How events reach callback URLs.

use std::time::Duration;

use mailjet_sim::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Sim, message, quick, until},
    receiver::Receiver,
};

#[tokio::test]
async fn version_two_groups_events_of_all_types() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    sim.send(&[
        message("a@example.com", ""),
        message("bounce@example.com", ""),
        message("b@example.com", ""),
    ])
    .await;
    receiver.wait(3).await;
    let hits = receiver.hits();
    assert_eq!(hits.len(), 1, "{hits:?}");
    let names: Vec<&Value> = hits[0].body.as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["sent", "bounce", "sent"]);
    assert_eq!(hits[0].authorization, None);
}

#[tokio::test]
async fn version_one_is_a_bare_event_each() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    let row = json!({"EventType": "sent", "Url": receiver.url()});
    assert_eq!(sim.post("/v3/REST/eventcallbackurl", &row).await.0, 201);
    sim.send(&[
        message("a@example.com", "1"),
        message("bounce@example.com", "2"),
        message("b@example.com", "3"),
    ])
    .await;
    receiver.wait(2).await;
    let hits = receiver.hits();
    assert_eq!(hits.iter().map(|hit| &hit.body["CustomID"]).collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(sim.stat("eventsUnrouted").await, 1, "nobody asked for bounces");
}

#[tokio::test]
async fn credentials_in_the_url_travel_as_basic_authentication() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&format!("http://user:to%40ken@{}/events", receiver.address), 2).await;
    sim.send(&[message("a@example.com", "")]).await;
    receiver.wait(1).await;
    assert_eq!(receiver.hits()[0].authorization.as_deref(), Some("Basic dXNlcjp0b0BrZW4="));
}

#[tokio::test]
async fn only_200_ends_the_repetition_and_order_is_kept() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    receiver.answer(&[500, 202, 204]);
    sim.register(&receiver.url(), 1).await;
    sim.send(&[message("a@example.com", "1"), message("b@example.com", "2")]).await;
    let events = receiver.wait(5).await;
    let order: Vec<&Value> = events.iter().map(|event| &event["CustomID"]).collect();
    assert_eq!(order, ["1", "1", "1", "1", "2"]);
    let delivered =
        until("both to be counted", || async { (sim.stat("eventsDelivered").await == 2).then_some(2) });
    assert_eq!(delivered.await, 2);
    assert_eq!(sim.stat("eventAttempts").await, 5);
    assert_eq!(sim.stat("eventsPending").await, 0);
}

#[tokio::test]
async fn a_dead_url_gives_way_to_its_backup_until_it_is_changed() {
    let sim = Sim::with(Settings { retry_for: Duration::from_millis(50), ..quick() });
    let (primary, backup) = (Receiver::start(&sim.tracker), Receiver::start(&sim.tracker));
    primary.answer(&[500; 1000]);
    for (url, is_backup) in [(primary.url(), false), (backup.url(), true)] {
        let row = json!({"EventType": "sent", "Url": url, "IsBackup": is_backup, "Version": 2});
        assert_eq!(sim.post("/v3/REST/eventcallbackurl", &row).await.0, 201);
    }
    sim.send(&[message("a@example.com", "1")]).await;
    assert_eq!(backup.wait(1).await[0]["CustomID"], "1");
    let path = "/v3/REST/eventcallbackurl/sent%7Cfalse";
    assert_eq!(sim.get(path).await["Data"][0]["Status"], "dead");

    let renewed = Receiver::start(&sim.tracker);
    let (status, row) = sim.call(Method::PUT, path, &json!({"Url": renewed.url()})).await;
    assert_eq!((status, &row["Data"][0]["Status"]), (200, &json!("alive")));
    sim.send(&[message("a@example.com", "2")]).await;
    assert_eq!(renewed.wait(1).await[0]["CustomID"], "2");
    assert_eq!(backup.events().len(), 1);
}

#[tokio::test]
async fn events_that_wait_follow_the_url_to_its_new_place() {
    let sim = Sim::with(Settings { retry: Duration::from_mins(1), ..quick() });
    let (old, new) = (Receiver::start(&sim.tracker), Receiver::start(&sim.tracker));
    old.answer(&[500]);
    let row = json!({"EventType": "sent", "Url": old.url(), "Version": 2});
    sim.post("/v3/REST/eventcallbackurl", &row).await;
    sim.send(&[message("a@example.com", "moved")]).await;
    old.wait(1).await;
    assert_eq!(sim.stat("eventsPending").await, 1, "an event that is to be repeated has not arrived");
    sim.call(Method::PUT, "/v3/REST/eventcallbackurl/sent%7Cfalse", &json!({"Url": new.url()})).await;
    assert_eq!(new.wait(1).await[0]["CustomID"], "moved");
    assert_eq!(old.events().len(), 1);
}

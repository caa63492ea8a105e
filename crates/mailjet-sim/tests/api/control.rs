//! The controls, the bounds and the end.

use std::time::Duration;

use mailjet_sim::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Sim, message, quick};

#[tokio::test]
async fn the_ledger_shows_what_was_accepted() {
    let sim = Sim::start();
    let mut mail = message("Ann@example.com", "c-1");
    mail["HTMLPart"] = json!("<b>hi</b>");
    mail["Headers"] = json!({"X-One": "1"});
    mail["Variables"] = json!({"n": 1});
    mail["Attachments"] =
        json!([{"ContentType": "text/plain", "Filename": "a.txt", "Base64Content": "aGVsbG8="}]);
    assert_eq!(sim.send(&[mail, message("b@example.com", "c-2")]).await.0, 200);
    let all = sim.get("/sim/messages").await;
    assert_eq!(all["total"], 2);
    let first = &all["data"][0];
    assert_eq!((&first["seq"], &first["call"]), (&json!(1), &json!(1)));
    assert_eq!((&first["apiKey"], &first["customId"]), (&json!("key"), &json!("c-1")));
    assert_eq!(first["from"], json!({"email": "pilot@example.com", "name": "Pilot"}));
    assert_eq!(first["to"], json!([{"email": "Ann@example.com", "name": null}]));
    assert_eq!((&first["textPart"], &first["htmlPart"]), (&json!("hello there"), &json!("<b>hi</b>")));
    assert_eq!((&first["headers"], &first["variables"]), (&json!({"X-One": "1"}), &json!({"n": 1})));
    assert_eq!(first["eventPayload"], "payload");
    assert_eq!(first["attachments"], json!([{"filename": "a.txt", "contentType": "text/plain", "size": 5}]));
    assert_eq!(first["recipients"][0]["email"], "ann@example.com");
    assert!(first["recipients"][0]["messageId"].is_string());
    let rest = sim.get("/sim/messages?after=1&limit=1").await;
    assert_eq!(rest["data"][0]["customId"], "c-2");
    assert_eq!(sim.get("/sim/messages?email=ANN@example.com").await["total"], 1);
    assert_eq!(sim.call(Method::DELETE, "/sim/messages", &Value::Null).await.0, 204);
    assert_eq!(sim.get("/sim/messages").await["total"], 0);
}

#[tokio::test]
async fn the_ledger_tells_arrival_from_acceptance() {
    let sim = Sim::with(Settings { latency: Duration::from_millis(30), ..quick() });
    sim.send(&[message("a@example.com", "")]).await;
    let kept = &sim.get("/sim/messages").await["data"][0];
    let [received, accepted]: [jiff::Timestamp; 2] =
        ["receivedAt", "acceptedAt"].map(|name| kept[name].as_str().unwrap().parse().unwrap());
    // The latency lies between the two; the clocks of sleeping and telling differ by less than this.
    assert!(accepted.duration_since(received).as_millis() >= 20, "{received} {accepted}");
}

#[tokio::test]
async fn the_ledger_is_bounded() {
    let sim = Sim::with(Settings { keep: 2, ..quick() });
    let call: Vec<Value> = (0..3).map(|n| message(&format!("r{n}@example.com"), &format!("c-{n}"))).collect();
    sim.send(&call).await;
    assert_eq!(sim.get("/sim/messages?customId=c-0").await["total"], 0);
    assert_eq!(sim.get("/sim/messages").await["data"][0]["seq"], 2);
    assert_eq!(sim.stat("left").await, 1);
    assert_eq!(sim.stat("acceptedMessages").await, 3);
}

#[tokio::test]
async fn the_page_escapes_what_strangers_wrote() {
    let sim = Sim::start();
    let mut mail = message("a@example.com", "<i>");
    mail["Subject"] = json!("<script>alert(1)</script>");
    sim.send(&[mail]).await;
    let page = sim.request(Method::GET, "/").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;script&gt;") && page.contains("&lt;i&gt;"), "{page}");
    assert!(!page.contains("<script"));
    assert_eq!(sim.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    assert_eq!(sim.request(Method::GET, "/nowhere").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn it_ends_within_a_second_also_with_open_connections() {
    let sim = Sim::start();
    sim.register("http://127.0.0.1:9/nobody", 2).await;
    sim.send(&[message("a@example.com", "")]).await;
    let start = Instant::now();
    sim.shutdown.cancel();
    sim.tracker.close();
    let ended = tokio::time::timeout(Duration::from_secs(1), sim.tracker.wait()).await;
    assert!(ended.is_ok(), "{:?}", start.elapsed());
}

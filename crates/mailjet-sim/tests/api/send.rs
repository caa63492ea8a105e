//! The send endpoint: validation, ids, sandbox, senders.

use mailjet_sim::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Sim, codes, message, quick};

#[tokio::test]
async fn an_accepted_message_has_an_id_for_each_recipient() {
    let sim = Sim::start();
    let mut mail = message("Ann@example.com", "c-1");
    mail["Cc"] = json!([{"Email": "bob@example.com"}]);
    mail["Bcc"] = json!([{"Email": "ann@example.com"}]);
    let (status, answer) = sim.send(&[mail]).await;
    assert_eq!(status, 200, "{answer}");
    let outcome = &answer["Messages"][0];
    assert_eq!(outcome["Status"], "success");
    assert_eq!(outcome["CustomID"], "c-1");
    let [to, cc, bcc] = ["To", "Cc", "Bcc"].map(|list| &outcome[list][0]);
    assert_eq!(to["Email"], "Ann@example.com");
    assert_eq!(to["MessageID"], bcc["MessageID"], "a repeated recipient has one id");
    assert_ne!(to["MessageID"], cc["MessageID"]);
    let id = to["MessageID"].as_u64().unwrap();
    assert!(id > 1 << 53 && id % 2 == 1);
    assert_eq!(to["MessageUUID"].as_str().unwrap().len(), 36);
    assert!(to["MessageHref"].as_str().unwrap().ends_with(&format!("/{id}")));
}

#[tokio::test]
async fn a_mixed_call_sends_the_sound_messages() {
    let sim = Sim::start();
    let mut bad = message("ann@example.com", "bad");
    bad["To"] = json!([{"Email": "nobody"}]);
    bad["Nonsense"] = json!(1);
    let call = [message("a@example.com", "first"), bad, message("b@example.com", "last")];
    let (status, answer) = sim.send(&call).await;
    assert_eq!(status, 400);
    let outcomes = answer["Messages"].as_array().unwrap();
    assert_eq!(outcomes[0]["CustomID"], "first");
    assert_eq!(outcomes[2]["CustomID"], "last");
    let mut found = codes(&outcomes[1]);
    found.sort_unstable();
    assert_eq!(found, ["mj-0013", "send-0001"]);
    let mut keys: Vec<&String> = outcomes[1].as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["Errors", "Status"]);
    assert_eq!(sim.get("/sim/messages").await["total"], 2);
}

#[tokio::test]
async fn fifty_one_recipients_refuse_the_whole_call() {
    let sim = Sim::start();
    let call: Vec<Value> = (0..51).map(|n| message(&format!("r{n}@example.com"), "")).collect();
    let (status, answer) = sim.send(&call).await;
    assert_eq!((status, &answer["ErrorCode"]), (400, &json!("send-0015")));
    assert!(answer.get("Messages").is_none());
    assert_eq!(sim.send(&call[..50]).await.0, 200);
    assert_eq!(sim.stat("acceptedMessages").await, 50);
    assert_eq!(sim.stat("refusedCalls").await, 1);
    assert_eq!(sim.stat("mostRecipients").await, 51, "a call that was refused counts as well");
}

#[tokio::test]
async fn poison_refuses_its_whole_call() {
    let sim = Sim::start();
    let call = [message("a@example.com", "good"), message("poison+1@example.com", "bad")];
    let (status, answer) = sim.send(&call).await;
    assert_eq!((status, &answer["ErrorCode"]), (400, &json!("mj-0002")));
    assert!(answer.get("Messages").is_none() && answer.get("ErrorRelatedTo").is_none(), "{answer}");
    assert_eq!(sim.stat("acceptedMessages").await, 0);
    assert_eq!(sim.send(&call[..1]).await.0, 200);
    assert_eq!(sim.send(&call[1..]).await.0, 400);
    let noted = async |id: &str| {
        let answer = sim.get(&format!("/sim/refusals?customId={id}")).await;
        let list = answer["data"].as_array().unwrap().clone();
        list.iter().map(|one| one["own"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(noted("good").await, [false]);
    assert_eq!(noted("bad").await, [false, true]);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_as_a_whole() {
    let sim = Sim::start();
    let response = sim.request(Method::POST, "/v3.1/send").body("{\"Messages\":").send().await.unwrap();
    assert_eq!(response.status(), 400);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["ErrorCode"], "mj-0002");
    assert_eq!(answer["StatusCode"], 400);
    let large = format!("{{\"Messages\":\"{}\"}}", "x".repeat(26 * 1024 * 1024));
    let response = sim.request(Method::POST, "/v3.1/send").body(large).send().await.unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn sandbox_checks_and_sends_nothing() {
    let sim = Sim::start();
    for name in ["SandboxMode", "SandBoxMode"] {
        let call = json!({"Messages": [message("a@example.com", "c")], name: true});
        let (status, answer) = sim.post("/v3.1/send", &call).await;
        assert_eq!(status, 200);
        let recipient = &answer["Messages"][0]["To"][0];
        assert_eq!(recipient["MessageID"], 0);
        assert_eq!(recipient["MessageUUID"], "");
    }
    assert_eq!(sim.stat("sandboxMessages").await, 2);
    assert_eq!(sim.stat("acceptedMessages").await, 0);
    assert_eq!(sim.stat("eventsPending").await, 0);
    assert_eq!(sim.stat("duplicates").await, 0);
    assert_eq!(sim.get("/sim/messages").await["data"][0]["sandbox"], true);
}

#[tokio::test]
async fn the_same_message_twice_is_two_messages() {
    let sim = Sim::start();
    for _ in 0..2 {
        assert_eq!(sim.send(&[message("a@example.com", "same")]).await.0, 200);
    }
    assert_eq!(sim.stat("duplicates").await, 1);
    let found = sim.get("/sim/messages?customId=same").await;
    assert_eq!(found["total"], 2);
    assert_ne!(
        found["data"][0]["recipients"][0]["messageId"],
        found["data"][1]["recipients"][0]["messageId"]
    );
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let credentials = "key:other,good:secret".parse().unwrap();
    let sim = Sim::with(Settings { credentials, ..quick() });
    let (status, answer) = sim.send(&[message("a@example.com", "")]).await;
    assert_eq!((status, &answer["StatusCode"]), (401, &json!(401)));
    assert!(answer["ErrorIdentifier"].is_string());
    let (status, answer) = sim.call(Method::GET, "/v3/REST/sender", &Value::Null).await;
    assert_eq!((status, &answer["ErrorInfo"]), (401, &json!("")));
    let call = json!({"Messages": [message("a@example.com", "")]});
    let request = reqwest::Client::new().post(format!("{}/v3.1/send", sim.base));
    let response = request.basic_auth("good", Some("secret")).json(&call).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn calls_over_the_rate_are_answered_in_html() {
    let sim = Sim::with(Settings { rate_limit: 1, ..quick() });
    assert_eq!(sim.send(&[message("a@example.com", "")]).await.0, 200);
    let call = json!({"Messages": [message("a@example.com", "")]});
    let response = sim.request(Method::POST, "/v3.1/send").json(&call).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(!response.headers().contains_key("retry-after"));
    assert_eq!(response.text().await.unwrap(), "Rate limit exceeded");
    assert_eq!(sim.stat("acceptedMessages").await, 1);
}

#[tokio::test]
async fn from_has_to_be_an_active_sender_once_there_are_senders() {
    let sim = Sim::start();
    let mut unverified = message("a@example.com", "");
    unverified["From"]["Email"] = json!("unverified@example.com");
    let (status, answer) = sim.send(&[unverified]).await;
    assert_eq!(status, 403);
    assert_eq!(codes(&answer["Messages"][0]), ["send-0008"]);

    assert_eq!(sim.send(&[message("a@example.com", "")]).await.0, 200);
    assert_eq!(sim.post("/v3/REST/sender", &json!({"Email": "*@example.com"})).await.0, 201);
    assert_eq!(sim.send(&[message("a@example.com", "")]).await.0, 403);
    sim.post("/sim/dns/example.com", &json!({"ownership": true})).await;
    assert_eq!(sim.post("/v3/REST/sender/*@example.com/validate", &Value::Null).await.0, 200);
    assert_eq!(sim.send(&[message("a@example.com", "")]).await.0, 200);
}

//! Each fault, as a client meets it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    harness::{Sim, message, until},
    receiver::Receiver,
};

#[tokio::test]
async fn refusals_accept_nothing() {
    let sim = Sim::start();
    let refusals =
        [("rate_limit", 429), ("server_error", 500), ("unauthorized", 401), ("blocked_account", 401)];
    for (kind, status) in refusals {
        sim.fault(&json!({"kind": kind, "count": 1})).await;
        let call = json!({"Messages": [message("a@example.com", "")]});
        let response = sim.request(Method::POST, "/v3.1/send").json(&call).send().await.unwrap();
        assert_eq!(response.status(), status);
        let text = response.text().await.unwrap();
        assert_eq!(text.contains("ErrorIdentifier"), status != 429, "{text}");
        assert_eq!(text.contains("mj-0001"), kind == "blocked_account", "{text}");
    }
    assert_eq!(sim.stat("acceptedMessages").await, 0);
    assert_eq!(sim.send(&[message("a@example.com", "")]).await.0, 200, "every fault is spent");
}

#[tokio::test]
async fn connections_close_without_an_answer() {
    let sim = Sim::start();
    for (kind, accepted) in [("drop_before", 0), ("drop_after_accept", 1)] {
        let id = sim.fault(&json!({"kind": kind})).await;
        let call = json!({"Messages": [message("a@example.com", kind)]});
        let error = sim.request(Method::POST, "/v3.1/send").json(&call).send().await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
        assert_eq!(sim.stat("acceptedMessages").await, accepted, "{kind}");
        assert_eq!(sim.call(Method::DELETE, &format!("/sim/faults/{id}"), &Value::Null).await.0, 204);
    }
    assert_eq!(sim.get("/sim/messages?customId=drop_after_accept").await["total"], 1);
    let found = sim.get("/v3/REST/message?CustomID=drop_after_accept").await;
    assert_eq!(found["Count"], 1, "what was accepted can be looked up");
}

#[tokio::test]
async fn an_answer_is_late_after_acceptance() {
    let sim = Sim::start();
    sim.fault(&json!({"kind": "delay", "count": 1, "delayMs": 1500})).await;
    let start = Instant::now();
    let late = [message("a@example.com", "late")];
    let send = sim.send(&late);
    let seen = until("acceptance before the answer", || async {
        let accepted = sim.stat("acceptedMessages").await;
        (accepted == 1).then(|| start.elapsed())
    });
    let ((status, _), seen) = tokio::join!(send, seen);
    assert_eq!(status, 200);
    assert!(start.elapsed() >= Duration::from_millis(1500) && seen < Duration::from_millis(1500));
}

#[tokio::test]
async fn an_answer_is_garbage_after_acceptance() {
    let sim = Sim::start();
    sim.fault(&json!({"kind": "garbage", "count": 1})).await;
    let call = json!({"Messages": [message("a@example.com", "")]});
    let response = sim.request(Method::POST, "/v3.1/send").json(&call).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err(), "{text}");
    assert_eq!(sim.stat("acceptedMessages").await, 1);
}

#[tokio::test]
async fn events_come_again() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    sim.fault(&json!({"kind": "events_duplicate"})).await;
    sim.send(&[message("a@example.com", "")]).await;
    let events = receiver.wait(3).await;
    assert!(events.iter().all(|event| *event == events[0]));
    let sizes: Vec<usize> = receiver.hits().iter().map(|hit| hit.body.as_array().unwrap().len()).collect();
    assert!(sizes[0] >= 2, "the first two go together: {sizes:?}");
}

#[tokio::test]
async fn events_come_last_first() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 1).await;
    sim.fault(&json!({"kind": "events_reorder", "count": 1})).await;
    // Neither of these has an order that could be another.
    sim.send(&[message("silent@example.com", "a"), message("a@example.com", "b")]).await;
    assert_eq!(sim.get("/sim/faults").await["data"][0]["struck"], 0);
    receiver.wait(1).await;
    sim.send(&[message("click@example.com", "c")]).await;
    let events = receiver.wait(4).await;
    let names: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["sent", "click", "open", "sent"]);
    assert_eq!(sim.get("/sim/messages?customId=c").await["data"][0]["recipients"][0]["status"], "clicked");
}

#[tokio::test]
async fn events_are_held_until_the_fault_goes() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    let id = sim.fault(&json!({"kind": "events_hold"})).await;
    sim.send(&[message("held@example.com", "c")]).await;
    until("the mail to be sent", || async {
        let row = sim.get("/sim/messages?customId=c").await["data"][0]["recipients"][0].clone();
        (row["status"] == "sent").then_some(())
    })
    .await;
    assert_eq!(sim.stat("eventsPending").await, 1);
    assert!(receiver.hits().is_empty());
    assert_eq!(sim.get("/sim/faults").await["data"][0]["struck"], 1);
    sim.call(Method::DELETE, &format!("/sim/faults/{id}"), &Value::Null).await;
    assert_eq!(receiver.wait(1).await[0]["event"], "sent");
}

#[tokio::test]
async fn a_call_hangs_after_acceptance_until_its_client_goes() {
    let sim = Sim::start();
    sim.fault(&json!({"kind": "hang", "count": 1})).await;
    let call = json!({"Messages": [message("a@example.com", "c")]});
    let request = sim.request(Method::POST, "/v3.1/send").json(&call).timeout(Duration::from_millis(300));
    let (sent, ()) = tokio::join!(request.send(), async {
        until("acceptance", || async { (sim.stat("acceptedMessages").await == 1).then_some(()) }).await;
        assert_eq!(sim.stat("openCalls").await, 1);
    });
    assert!(sent.unwrap_err().is_timeout());
    until("the call to be dropped", || async { (sim.stat("openCalls").await == 0).then_some(()) }).await;
    assert_eq!(sim.stat("mostOpenCalls").await, 1);
}

#[tokio::test]
async fn an_answer_is_500_after_acceptance() {
    let sim = Sim::start();
    sim.fault(&json!({"kind": "server_error_after_accept", "count": 1})).await;
    let (status, answer) = sim.send(&[message("a@example.com", "c")]).await;
    assert_eq!((status, &answer["StatusCode"]), (500, &json!(500)));
    assert!(answer["Messages"].is_null() && answer["ErrorIdentifier"].is_string(), "{answer}");
    assert_eq!(sim.get("/sim/messages?customId=c").await["total"], 1);
}

#[tokio::test]
async fn one_message_of_a_call_is_refused_by_lot() {
    let sim = Sim::start();
    sim.fault(&json!({"kind": "partial", "count": 1})).await;
    let call: Vec<Value> =
        (0..10).map(|n| message(&format!("r{n}@example.com"), &format!("c-{n}"))).collect();
    let (status, answer) = sim.send(&call).await;
    assert_eq!(status, 400);
    let outcomes = answer["Messages"].as_array().unwrap();
    let is_refused = |outcome: &Value| outcome["Status"] == "error";
    let place = outcomes.iter().position(is_refused).unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| is_refused(outcome)).count(), 1, "{answer}");
    let error = &outcomes[place]["Errors"][0];
    assert_eq!(
        (&error["ErrorCode"], &error["ErrorRelatedTo"][0]),
        (&json!("mj-0013"), &json!("To[0].Email"))
    );
    assert!(error["ErrorMessage"].as_str().unwrap().contains(&format!("r{place}@example.com")));
    assert_eq!(sim.stat("acceptedMessages").await, 9);
    assert_eq!(sim.get(&format!("/sim/messages?customId=c-{place}")).await["total"], 0);
    let noted = sim.get("/sim/refusals").await["data"].as_array().unwrap().clone();
    assert_eq!(noted.len(), 1);
    assert_eq!((&noted[0]["customId"], &noted[0]["own"]), (&json!(format!("c-{place}")), &json!(true)));
    assert_eq!(noted[0]["errors"][0]["ErrorCode"], "mj-0013");
}

#[tokio::test]
async fn a_fault_strikes_one_account() {
    let sim = Sim::start();
    let send = async |key: &str| {
        let call = json!({"Messages": [message("a@example.com", key)]});
        let request = reqwest::Client::new().post(format!("{}/v3.1/send", sim.base));
        request
            .basic_auth(key, Some("secret"))
            .json(&call)
            .send()
            .await
            .map(|answer| answer.status().as_u16())
    };
    for (kind, status) in [("rate_limit", 429), ("blocked_account", 401), ("server_error_after_accept", 500)]
    {
        let id = sim.fault(&json!({"kind": kind, "account": "ill"})).await;
        assert_eq!([send("ill").await.unwrap(), send("well").await.unwrap()], [status, 200], "{kind}");
        sim.call(Method::DELETE, &format!("/sim/faults/{id}"), &Value::Null).await;
    }
    sim.fault(&json!({"kind": "drop_before", "account": "ill"})).await;
    assert!(send("ill").await.is_err());
    assert_eq!(send("well").await.unwrap(), 200);
    sim.fault(&json!({"kind": "lookup_error", "account": "ill"})).await;
    let path = "/v3/REST/message?CustomID=well";
    assert_eq!(sim.get(path).await["Count"], 0, "another account's");
    let faults = sim.get("/sim/faults").await;
    assert_eq!(faults["data"][0]["struck"], 1);
    let kinds = faults["kinds"].as_array().unwrap();
    assert!(kinds.contains(&json!("server_error_after_accept")), "{kinds:?}");
}

#[tokio::test]
async fn events_are_held_for_one_account() {
    let sim = Sim::start();
    let receiver = Receiver::start(&sim.tracker);
    sim.register(&receiver.url(), 2).await;
    let other = sim.fault(&json!({"kind": "events_hold", "account": "other"})).await;
    sim.send(&[message("free@example.com", "free")]).await;
    assert_eq!(receiver.wait(1).await[0]["CustomID"], "free");
    let held = sim.fault(&json!({"kind": "events_hold", "account": "key"})).await;
    sim.send(&[message("held@example.com", "held")]).await;
    until("the mail to be sent", || async {
        let row = sim.get("/sim/messages?customId=held").await["data"][0]["recipients"][0].clone();
        (row["status"] == "sent").then_some(())
    })
    .await;
    sim.call(Method::DELETE, &format!("/sim/faults/{other}"), &Value::Null).await;
    assert_eq!(sim.stat("eventsPending").await, 1, "its own fault is listed still");
    sim.call(Method::DELETE, &format!("/sim/faults/{held}"), &Value::Null).await;
    assert_eq!(receiver.wait(2).await[1]["CustomID"], "held");
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let sim = Sim::start();
    for order in [json!({"kind": "earthquake"}), json!({"kind": "delay", "probability": 2}), json!({})] {
        let (status, answer) = sim.post("/sim/faults", &order).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].is_string());
    }
    assert_eq!(sim.call(Method::DELETE, "/sim/faults/7", &Value::Null).await.0, 404);
    assert_eq!(sim.call(Method::DELETE, "/sim/faults", &Value::Null).await.0, 204);
}

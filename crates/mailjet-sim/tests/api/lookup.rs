//! The look-up of messages and their history.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Sim, message, until};

#[tokio::test]
async fn a_message_is_found_by_its_custom_id_and_by_its_id() {
    let sim = Sim::start();
    let (_, answer) = sim.send(&[message("click@example.com", "c-1"), message("b@example.com", "c-2")]).await;
    let id = answer["Messages"][0]["To"][0]["MessageID"].as_u64().unwrap();
    let plain = sim.get("/v3/REST/message?CustomID=c-1").await;
    assert_eq!((&plain["Count"], &plain["Total"]), (&json!(1), &json!(1)));
    assert_eq!((&plain["Data"][0]["CustomID"], &plain["Data"][0]["ContactAlt"]), (&json!(""), &json!("")));

    let path = "/v3/REST/message?CustomID=c-1&ShowCustomID=true&ShowContactAlt=true&ShowSubject=true";
    let row = sim.get(path).await["Data"][0].clone();
    assert_eq!(row["ID"].as_u64(), Some(id));
    assert_eq!(row["UUID"], answer["Messages"][0]["To"][0]["MessageUUID"]);
    assert_eq!(row["CustomID"], "c-1");
    assert_eq!(row["ContactAlt"], "click@example.com");
    assert_eq!(row["Subject"], "hello");

    until("the status to move", || async {
        let row = sim.get(&format!("/v3/REST/message/{id}")).await["Data"][0].clone();
        (row["Status"] == "clicked").then_some(())
    })
    .await;
    let history = sim.get(&format!("/v3/REST/messagehistory/{id}")).await;
    let types: Vec<&Value> =
        history["Data"].as_array().unwrap().iter().map(|line| &line["EventType"]).collect();
    assert_eq!(types, ["sent", "opened", "clicked"]);
    assert_eq!(sim.call(Method::GET, "/v3/REST/message/1", &Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_question_about_nothing_is_answered_with_the_last_messages() {
    let sim = Sim::start();
    let call: Vec<Value> =
        (0..12).map(|n| message(&format!("r{n}@example.com"), &format!("c-{n}"))).collect();
    sim.send(&call).await;
    let found = sim.get("/v3/REST/message?CustomId=c-3&ShowCustomID=1").await;
    assert_eq!((&found["Count"], &found["Total"]), (&json!(10), &json!(10)));
    assert_eq!(found["Data"][0]["CustomID"], "c-11");
    assert_eq!(sim.get("/v3/REST/message?CustomID=none").await["Count"], 0);
    let sorted = sim.get("/v3/REST/message?FromTS=0&Sort=id+DESC&Limit=2&Offset=1&ShowCustomID=1").await;
    assert_eq!(sorted["Count"], 2);
    assert_eq!(sorted["Data"][0]["CustomID"], "c-10");
    let counted = sim.get("/v3/REST/message?FromTS=0&countOnly=1").await;
    assert_eq!((&counted["Total"], &counted["Data"]), (&json!(12), &json!([])));
}

#[tokio::test]
async fn the_look_up_fails_and_lags_on_demand() {
    let sim = Sim::start();
    sim.send(&[message("silent@example.com", "young")]).await;
    sim.fault(&json!({"kind": "lookup_error", "count": 1})).await;
    let (status, answer) = sim.call(Method::GET, "/v3/REST/message?CustomID=young", &Value::Null).await;
    assert_eq!((status, &answer["ErrorInfo"]), (500, &json!("")));
    sim.fault(&json!({"kind": "lookup_lag", "delayMs": 60_000})).await;
    assert_eq!(sim.get("/v3/REST/message?CustomID=young").await["Count"], 0);
    assert_eq!(sim.get("/v3/REST/message?CustomID=other").await["Count"], 0);
    assert_eq!(
        sim.get("/sim/faults").await["data"][1]["struck"],
        1,
        "where nothing is hidden it did nothing"
    );
    sim.call(Method::DELETE, "/sim/faults", &Value::Null).await;
    assert_eq!(sim.get("/v3/REST/message?CustomID=young").await["Count"], 1);
    sim.fault(&json!({"kind": "lookup_lag", "delayMs": 0})).await;
    assert_eq!(sim.get("/v3/REST/message?CustomID=young").await["Count"], 1);
    assert_eq!(sim.get("/sim/faults").await["data"][0]["struck"], 0, "it is older than that");
}

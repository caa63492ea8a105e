//! The shapes on the wire, with ids and times taken out.

use serde_json::{Value, json};

use crate::harness::{Raven, plain};

/// Replaces what differs from run to run by its kind.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        Value::Object(members) => {
            for (name, member) in members {
                *member = match (name.as_str(), &*member) {
                    ("providerMessageId", Value::String(_)) => "[number]".into(),
                    ("sequence", Value::Number(_)) => "[number]".into(),
                    ("raw", Value::Object(_)) => "[raw]".into(),
                    _ => redacted(member.take()),
                };
            }
        }
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => *text = "[uuid]".to_owned(),
        Value::String(text) if text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() => {
            *text = "[time]".to_owned();
        }
        _ => {}
    }
    value
}

#[tokio::test]
async fn messages_and_events() {
    let raven = Raven::start("messages_and_events").await;
    let tenant = raven.tenant().await;
    let mut message = plain("Ann <open@example.com>");
    message["tags"] = json!(["welcome"]);
    message["metadata"] = json!({"orderId": 42});
    let accepted = tenant.post("/v1/messages", &message).await.expect(200);
    let id = accepted["id"].as_str().unwrap().to_owned();
    insta::assert_json_snapshot!(redacted(accepted), @"");
    tenant.told(&id, &["delivered", "open"]).await;
    insta::assert_json_snapshot!(redacted(tenant.message(&id).await), @"");
    let events = tenant.get(&format!("/v1/messages/{id}/events")).await.expect(200);
    insta::assert_json_snapshot!(redacted(events), @"");
}

#[tokio::test]
async fn problems_and_lists() {
    let raven = Raven::start("problems_and_lists").await;
    let tenant = raven.tenant().await;
    let bad = json!({"to": "nobody", "bodyHTML": "x"});
    insta::assert_json_snapshot!(tenant.post("/v1/messages", &bad).await.json(), @"");
    insta::assert_json_snapshot!(tenant.with_key("junk").get("/v1/suppressions").await.json(), @"");
    tenant.post("/v1/suppressions", &json!({"email": "eve@example.com"})).await;
    insta::assert_json_snapshot!(redacted(tenant.get("/v1/suppressions").await.json()), @"");
    let refused = {
        let mut message = plain("ann@example.com");
        message["from"] = json!("unverified@shop.example");
        let id = tenant.send(&message).await;
        tenant.settled(&id, "failed").await
    };
    insta::assert_json_snapshot!(refused["error"], @"");
}

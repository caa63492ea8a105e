//! The shapes on the wire, with ids and times taken out.

use serde_json::{Value, json};

use crate::harness::{Copy, Raven, plain};

/// Replaces what differs from run to run by its kind.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        Value::Object(members) => {
            for (name, member) in members {
                *member = match (name.as_str(), &*member) {
                    ("providerMessageId", Value::String(_)) | ("sequence", Value::Number(_)) => {
                        "[number]".into()
                    }
                    ("raw", Value::Object(_)) => "[raw]".into(),
                    _ => redacted(member.take()),
                };
            }
        }
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => "[uuid]".clone_into(text),
        Value::String(text) if text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() => {
            "[time]".clone_into(text);
        }
        _ => {}
    }
    value
}

#[tokio::test]
async fn a_message() {
    let raven = Raven::start("a_message").await;
    let tenant = raven.tenant().await;
    let mut message = plain("Ann <silent@example.com>");
    message["tags"] = json!(["welcome"]);
    message["metadata"] = json!({"orderId": 42});
    let accepted = tenant.post("/v1/messages", &message).await.expect(200);
    let id = accepted["id"].as_str().unwrap().to_owned();
    insta::assert_json_snapshot!(redacted(accepted), @r#"
    {
      "id": "[uuid]",
      "status": "queued"
    }
    "#);
    let copy = Copy::of(&tenant.settled(&id, "sent").await, 0);
    tenant.tell(&[copy.sent(1), copy.open(2)]).await;
    tenant.settled(&id, "delivered").await;
    insta::assert_json_snapshot!(redacted(tenant.message(&id).await), @r#"
    {
      "attempts": 1,
      "bcc": [],
      "cc": [],
      "channel": "email",
      "createdAt": "[time]",
      "error": null,
      "from": {
        "email": "hello@shop.example",
        "name": "Shop"
      },
      "id": "[uuid]",
      "metadata": {
        "orderId": 42
      },
      "provider": "mailjet",
      "providerMessageId": "[number]",
      "recipients": [
        {
          "email": "silent@example.com",
          "providerMessageId": "[number]",
          "providerMessageUuid": "[uuid]",
          "status": "delivered"
        }
      ],
      "scheduledAt": null,
      "status": "delivered",
      "subject": "Hello",
      "tags": [
        "welcome"
      ],
      "to": [
        {
          "email": "silent@example.com",
          "name": "Ann"
        }
      ],
      "updatedAt": "[time]"
    }
    "#);
}

#[tokio::test]
async fn the_events_of_a_message() {
    let raven = Raven::start("the_events_of_a_message").await;
    let tenant = raven.tenant().await;
    let id = tenant.send_to("silent@example.com").await;
    let copy = Copy::of(&tenant.settled(&id, "sent").await, 0);
    tenant.tell(&[copy.sent(1), copy.open(2)]).await;
    tenant.told(&id, &["delivered", "open"]).await;
    let events = tenant.get(&format!("/v1/messages/{id}/events")).await.expect(200);
    insta::assert_json_snapshot!(redacted(events), @r#"
    {
      "data": [
        {
          "geo": null,
          "id": "[uuid]",
          "ip": null,
          "messageId": "[uuid]",
          "occurredAt": "[time]",
          "provider": "mailjet",
          "providerMessageId": "[number]",
          "raw": "[raw]",
          "reason": "sent (250 2.0.0 OK)",
          "receivedAt": "[time]",
          "recipient": "silent@example.com",
          "sequence": "[number]",
          "type": "delivered",
          "url": null,
          "userAgent": null
        },
        {
          "geo": "FR",
          "id": "[uuid]",
          "ip": "192.0.2.7",
          "messageId": "[uuid]",
          "occurredAt": "[time]",
          "provider": "mailjet",
          "providerMessageId": "[number]",
          "raw": "[raw]",
          "reason": null,
          "receivedAt": "[time]",
          "recipient": "silent@example.com",
          "sequence": "[number]",
          "type": "open",
          "url": null,
          "userAgent": "Test/1.0"
        }
      ],
      "nextCursor": null
    }
    "#);
}

#[tokio::test]
async fn problems() {
    let raven = Raven::without_worker("problems").await;
    let tenant = raven.tenant().await;
    let bad = json!({"to": "nobody", "bodyHTML": "x"});
    insta::assert_json_snapshot!(tenant.post("/v1/messages", &bad).await.json(), @r#"
    {
      "code": "validation_failed",
      "detail": "3 faults; see errors.",
      "errors": [
        {
          "detail": "is not an e-mail address: Missing separator character '@'.",
          "pointer": "/to"
        },
        {
          "detail": "is needed, unless there is bodyHtml or templateId",
          "pointer": "/bodyText"
        },
        {
          "detail": "is not a field that is known here",
          "pointer": "/bodyHTML"
        }
      ],
      "status": 422,
      "title": "The request has faults",
      "type": "about:blank"
    }
    "#);
    insta::assert_json_snapshot!(tenant.with_key("junk").get("/v1/suppressions").await.json(), @r#"
    {
      "code": "unauthorized",
      "detail": "Send a valid API key in X-Raven-Key, or in Authorization as a Bearer token.",
      "status": 401,
      "title": "No valid API key or token",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn lists_and_errors_of_messages() {
    let raven = Raven::start("lists_and_errors_of_messages").await;
    let tenant = raven.tenant().await;
    tenant.post("/v1/suppressions", &json!({"email": "eve@example.com"})).await;
    insta::assert_json_snapshot!(redacted(tenant.get("/v1/suppressions").await.json()), @r#"
    {
      "data": [
        {
          "createdAt": "[time]",
          "email": "eve@example.com",
          "eventId": null,
          "reason": "manual"
        }
      ],
      "nextCursor": null
    }
    "#);
    let refused = {
        let mut message = plain("ann@example.com");
        message["from"] = json!("unverified@shop.example");
        let id = tenant.send(&message).await;
        tenant.settled(&id, "failed").await
    };
    insta::assert_json_snapshot!(refused["error"], @r#"
    {
      "code": "send-0008",
      "message": "\"unverified@shop.example\" is not an authorized sender email address for your account. The sender is not verified: add and validate the address, or its whole domain, under the account's sender addresses at Mailjet, then retry the message."
    }
    "#);
}

//! What is sent arrives at Mailjet as it was meant, and what becomes of it can be read.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Raven, plain};

/// Every field that a message may have, but for the time to send it at.
fn full() -> Value {
    json!({
        "channel": "email",
        "from": {"email": "orders@shop.example", "name": "Orders"},
        "to": [{"email": "Ann@example.com", "name": "Ann"}, "Bob <bob@example.com>"],
        "cc": "carol@example.com",
        "bcc": ["dave@example.com"],
        "replyTo": "Help <help@shop.example>",
        "subject": "Your order №42",
        "bodyHtml": "<p>Thank you, <b>Ann</b>.</p>",
        "bodyText": "Thank you, Ann.",
        "attachments": [
            {"filename": "invoice.txt", "contentType": "text/plain", "content": STANDARD.encode("forty-two")},
            {"filename": "logo.png", "contentType": "image/png", "content": STANDARD.encode([0x89, 0x50]),
             "contentId": "logo"},
        ],
        "headers": {"X-Order": "42", "List-Unsubscribe": "<https://shop.example/u>"},
        "tags": ["order", "paid"],
        "trackOpens": true,
        "trackClicks": false,
        "metadata": {"orderId": 42, "lines": [1, 2], "note": "é"},
    })
}

#[tokio::test]
async fn a_full_message_travels_whole() {
    let raven = Raven::start("a_full_message_travels_whole").await;
    let tenant = raven.tenant().await;
    let id = tenant.send(&full()).await;
    let message = tenant.settled(&id, "delivered").await;

    let mail = raven.sim.only_copy(&id).await;
    let address = |email: &str, name: Value| json!({"email": email, "name": name});
    assert_eq!(mail["from"], address("orders@shop.example", "Orders".into()));
    assert_eq!(mail["to"][0], address("Ann@example.com", "Ann".into()));
    assert_eq!(mail["to"][1], address("bob@example.com", "Bob".into()));
    assert_eq!(mail["cc"][0]["email"], "carol@example.com");
    assert_eq!(mail["bcc"][0]["email"], "dave@example.com");
    assert_eq!(mail["replyTo"], address("help@shop.example", "Help".into()));
    assert_eq!(mail["subject"], "Your order №42");
    assert_eq!(mail["htmlPart"], "<p>Thank you, <b>Ann</b>.</p>");
    assert_eq!(mail["textPart"], "Thank you, Ann.");
    assert_eq!(mail["headers"], json!({"X-Order": "42", "List-Unsubscribe": "<https://shop.example/u>"}));
    let invoice = json!([{"filename": "invoice.txt", "contentType": "text/plain", "size": 9}]);
    assert_eq!(mail["attachments"], invoice);
    assert_eq!(mail["inlinedAttachments"][0]["filename"], "logo.png");
    assert_eq!((&mail["trackOpens"], &mail["trackClicks"]), (&json!("enabled"), &json!("disabled")));
    assert_eq!(mail["templateLanguage"], false);
    let payload = mail["eventPayload"].as_str().unwrap();
    assert!(!payload.contains(' '), "compact: {payload}");
    assert_eq!(serde_json::from_str::<Value>(payload).unwrap(), full()["metadata"]);
    assert_eq!(mail["apiKey"], json!(tenant.account.0));

    assert_eq!(message["metadata"], full()["metadata"]);
    assert_eq!(message["tags"], json!(["order", "paid"]));
    assert_eq!(message["to"].as_array().unwrap().len(), 2);
    assert_eq!((&message["attempts"], &message["provider"]), (&json!(1), &json!("mailjet")));
    assert_same_recipients(&message, &mail);
}

/// Each recipient carries the ids that Mailjet gave it, to the last digit.
fn assert_same_recipients(message: &Value, mail: &Value) {
    let rows = message["recipients"].as_array().unwrap();
    let copies = mail["recipients"].as_array().unwrap();
    assert_eq!(rows.len(), copies.len(), "{message}");
    for copy in copies {
        let same = |row: &&Value| {
            row["email"].as_str().unwrap().eq_ignore_ascii_case(copy["email"].as_str().unwrap())
        };
        let row = rows.iter().find(same).unwrap_or_else(|| panic!("no {copy} in {message}"));
        assert_eq!(row["providerMessageId"], copy["messageId"]);
        assert!(
            copy["messageId"].as_str().unwrap().parse::<u64>().unwrap() > 1 << 53,
            "a double would not do"
        );
        assert_eq!(row["providerMessageUuid"], copy["messageUuid"]);
    }
    assert!(message["providerMessageId"].is_string(), "{message}");
}

#[tokio::test]
async fn what_is_not_given_comes_from_the_provider() {
    let raven = Raven::start("what_is_not_given_comes_from_the_provider").await;
    let tenant = raven.tenant().await;
    let id = tenant.send(&plain("Ann <ann@example.com>")).await;
    tenant.settled(&id, "delivered").await;
    let mail = raven.sim.only_copy(&id).await;
    assert_eq!(mail["from"], json!({"email": "hello@shop.example", "name": "Shop"}));
    assert_eq!(mail["to"], json!([{"email": "ann@example.com", "name": "Ann"}]));
    assert_eq!(mail["textPart"], "Hello there.");
    assert_eq!(mail["htmlPart"], Value::Null);
    assert_eq!(tenant.event_types(&id).await, ["delivered"]);
}

#[tokio::test]
async fn templates_and_variables() {
    let raven = Raven::start("templates_and_variables").await;
    let tenant = raven.tenant().await;
    let variables = json!({"name": "Ann", "total": 12.5});
    let by_id = json!({"to": "ann@example.com", "templateId": 77, "variables": variables});
    let in_body = json!({
        "to": "ann@example.com", "subject": "Hello {{var:name}}", "bodyText": "{{var:total}}", "variables": variables,
    });
    for (message, template) in [(by_id, json!(77)), (in_body, Value::Null)] {
        let id = tenant.send(&message).await;
        tenant.settled(&id, "delivered").await;
        let mail = raven.sim.only_copy(&id).await;
        assert_eq!((&mail["templateId"], &mail["templateLanguage"]), (&template, &json!(true)));
        assert_eq!(mail["variables"], variables);
    }
}

#[tokio::test]
async fn calls_hold_fifty_recipients_of_one_account() {
    let mut raven = Raven::without_worker("calls_hold_fifty_recipients_of_one_account").await;
    let tenants = [raven.tenant().await, raven.tenant().await];
    let mut sent = Vec::new();
    for number in 0..6 {
        for tenant in &tenants {
            let to: Vec<String> = (0..23).map(|place| format!("r{place}@m{number}.example")).collect();
            let id = tenant.send(&json!({"to": to, "subject": "Many", "bodyText": "Hello"})).await;
            sent.push((tenant.clone(), id));
        }
    }
    raven.start_worker().await;
    for (tenant, id) in &sent {
        tenant.settled(id, "delivered").await;
        assert_eq!(raven.sim.only_copy(id).await["apiKey"], json!(tenant.account.0));
    }
    assert_eq!(raven.sim.stat("refusedCalls").await, 0);
    assert!(raven.sim.stat("calls").await < 12, "messages share calls");
}

#[tokio::test]
async fn a_batch_is_queued_in_order() {
    let raven = Raven::start("a_batch_is_queued_in_order").await;
    let tenant = raven.tenant().await;
    let messages: Vec<Value> = (0..60).map(|number| plain(&format!("r{number}@example.com"))).collect();
    let answer = tenant.post("/v1/messages/batch", &json!({ "messages": messages })).await.expect(200);
    let rows = answer["data"].as_array().unwrap();
    assert_eq!(rows.len(), 60);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row["status"], "queued");
        let message = tenant.settled(row["id"].as_str().unwrap(), "delivered").await;
        assert_eq!(message["to"][0]["email"], json!(format!("r{number}@example.com")));
    }
    assert_eq!(raven.sim.stat("duplicates").await, 0);
}

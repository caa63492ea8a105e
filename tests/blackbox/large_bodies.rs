//! Large bodies wait beside the small ones, of which workers hold many, and go the same way.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::harness::{Raven, plain, wait::until};

#[tokio::test]
async fn large_bodies_wait_beside_and_arrive() {
    let mut raven = Raven::without_worker("large_bodies_wait_beside_and_arrive").await;
    let tenant = raven.tenant().await;
    let mut mail = plain("large@example.com");
    let content = STANDARD.encode(vec![7; 300_000]);
    mail["attachments"] =
        json!([{"filename": "a.bin", "contentType": "application/octet-stream", "content": content}]);
    let large = tenant.send(&mail).await;
    let small = tenant.send_to("small@example.com").await;
    let complaint = |number: usize| {
        json!({"event": "spam", "time": 1_767_225_600, "MessageID": 7, "email": format!("c{number}@example.net"),
            "Payload": "x".repeat(1000)})
    };
    tenant.tell(&(0..200).map(complaint).collect::<Vec<_>>()).await;
    tenant.tell(&[complaint(200)]).await;
    for queue in ["sends", "sends-large", "events", "events-large"] {
        until(queue, async || raven.vhost.waiting(queue).await.len(), |count| *count == 1).await;
    }
    raven.start_worker().await;
    for id in [&large, &small] {
        tenant.settled(id, "delivered").await;
        raven.sim.only_copy(id).await;
    }
    let count = async || tenant.feed("type=spam_complaint&limit=500").await.0.len();
    until("all complaints", count, |count| *count == 201).await;
}

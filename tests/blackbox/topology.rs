//! What RabbitMQ holds once both services have started.

use serde_json::json;

use crate::harness::{Raven, http, wait::until};

#[tokio::test]
async fn queues_are_quorum_queues_with_limits() {
    let raven = Raven::start("queues_are_quorum_queues_with_limits").await;
    for queue in [
        "sends",
        "sends-large",
        "sends-bulk",
        "sends-bulk-large",
        "events",
        "events-large",
        "dead-letters",
        "unrouted",
    ] {
        // The management API learns of new queues a little later.
        let seen = until(queue, async || raven.vhost.queue(queue).await, Option::is_some).await.unwrap();
        assert_eq!((&seen["type"], &seen["durable"]), (&json!("quorum"), &json!(true)), "{seen}");
        let arguments = &seen["arguments"];
        assert!(arguments["x-delivery-limit"].as_u64().is_some_and(|limit| limit > 0), "{arguments}");
        assert_eq!(arguments["x-overflow"], "reject-publish", "{arguments}");
        if queue.starts_with("sends") || queue.starts_with("events") {
            assert_eq!(arguments["x-dead-letter-strategy"], "at-least-once", "{arguments}");
            assert!(arguments["x-dead-letter-exchange"].is_string(), "{arguments}");
        }
    }
    let exchange = raven.vhost.exchange("raven").await.unwrap();
    assert_eq!((&exchange["type"], &exchange["durable"]), (&json!("direct"), &json!(true)));
    assert!(exchange["arguments"]["alternate-exchange"].is_string(), "{exchange}");
}

#[tokio::test]
async fn services_tell_their_health_and_metrics() {
    let raven = Raven::start("services_tell_their_health_and_metrics").await;
    let get = async |path: &str| http::send(raven.request(reqwest::Method::GET, path)).await;
    assert_eq!(get("/healthz").await.status, 200);
    let ready = get("/readyz").await.expect(200);
    assert_eq!(ready["status"], "ready", "{ready}");
    let metrics = get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain"), "{metrics:?}");
}

//! Large bodies wait beside the small ones, of which workers hold many, and go the same way.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::harness::{Raven, Tenant, http, plain, wait::until};

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

/// Announces a body of 20 MB, and sends only its beginning, which is more than comes in one piece.
async fn begin_large(raven: &Raven, tenant: &Tenant) -> TcpStream {
    let address = raven.url.socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: raven\r\nX-Raven-Key: {}\r\nContent-Length: 20000000\r\n\r\n{}",
        tenant.key, "{\"bodyText\": \""
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 500_000]).await.unwrap();
    stream
}

#[tokio::test]
async fn large_requests_wait_for_room_and_small_ones_do_not() {
    let raven = Raven::start("large_requests_wait_for_room_and_small_ones_do_not").await;
    let tenant = raven.tenant().await;
    let mut slow = Vec::new();
    for _ in 0..6 {
        slow.push(begin_large(&raven, &tenant).await);
    }
    let mut mail = plain("large@example.com");
    mail["bodyText"] = json!("x".repeat(2_000_000));
    let full = async || http::send(tenant.request(Method::POST, "/v1/messages").json(&mail)).await;
    until("no room", &full, |reply| reply.status == 503).await.problem(503, "queue_unavailable");
    let small = tenant.send_to("small@example.com").await;
    tenant.settled(&small, "delivered").await;
    drop(slow);
    until("room", &full, |reply| reply.status == 200).await;
}

//! A tenant of an installation, with its API key, as its backend would use it.

use reqwest::{Body, Method, RequestBuilder, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    events::Copy,
    http::{self, Reply},
    wait::until,
};

/// A tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    /// Its API key.
    pub(crate) key: String,
    /// API key and secret of its account at Mailjet.
    pub(crate) account: (String, String),
    url: Url,
}

impl Tenant {
    /// From the answer of `raven tenant create`.
    pub(crate) fn new(url: &Url, created: &Value) -> Self {
        let text =
            |name: &str| created[name].as_str().unwrap_or_else(|| panic!("{name}: {created}")).to_owned();
        let half = |kind| format!("{kind}{}", Uuid::new_v4().simple());
        let account = (half("mjkey"), half("mjsecret"));
        Self { id: text("tenantId"), key: text("apiKey"), account, url: url.clone() }
    }

    /// The same tenant with another API key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url.join(path).expect("a path");
        http::client().request(method, url).header("X-Raven-Key", &self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        http::send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        http::send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        http::send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        http::send(self.request(Method::DELETE, path)).await
    }

    /// Stores the account at Mailjet.
    pub(crate) async fn set_provider(&self) {
        let provider = json!({
            "from_email": "hello@shop.example", "from_name": "Shop",
            "api_key": self.account.0, "api_secret": self.account.1,
        });
        let reply = self.put("/v1/providers/mailjet", &provider).await;
        assert!(reply.status < 300, "{reply:?}");
    }

    /// Sends, and answers the id.
    pub(crate) async fn send(&self, message: &Value) -> String {
        let answer = self.post("/v1/messages", message).await.expect(200);
        assert_eq!(answer["status"], "queued", "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Sends a plain mail to one address, and answers the id.
    pub(crate) async fn send_to(&self, to: &str) -> String {
        self.send(&plain(to)).await
    }

    /// Queues up to 500 messages in one request, and answers the ids.
    pub(crate) async fn send_batch(&self, messages: &[Value]) -> Vec<String> {
        let answer = self.post("/v1/messages/batch", &json!({ "messages": messages })).await.expect(200);
        let rows = answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
        assert_eq!(rows.len(), messages.len(), "{answer}");
        rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Sends to an address about which the stand-in tells nothing, and answers the id and the recipient's copy.
    pub(crate) async fn silent(&self, local: &str) -> (String, Copy) {
        let id = self.send_to(&format!("silent+{local}@example.com")).await;
        let message = self.settled(&id, "sent").await;
        (id, Copy::of(&message, 0))
    }

    /// Waits until the message has this status, and answers it.
    pub(crate) async fn settled(&self, id: &str, status: &str) -> Value {
        let path = format!("/v1/messages/{id}");
        let read = async || {
            let reply = self.get(&path).await;
            // Until a worker has stored it, it is not there.
            assert!([200, 404].contains(&reply.status), "{reply:?}");
            reply.json()
        };
        until(&format!("message {status}"), read, |message| message["status"] == status).await
    }

    /// The message as it is.
    pub(crate) async fn message(&self, id: &str) -> Value {
        self.get(&format!("/v1/messages/{id}")).await.expect(200)
    }

    /// The events of a message, oldest first.
    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/messages/{id}/events")).await.expect(200);
        answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone()
    }

    /// A page of the feed of all events, and where to go on.
    pub(crate) async fn feed(&self, query: &str) -> (Vec<Value>, Option<String>) {
        let answer = self.get(&format!("/v1/events?{query}")).await.expect(200);
        let data = answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone();
        (data, answer["nextCursor"].as_str().map(str::to_owned))
    }

    /// The types of the events of a message, oldest first.
    pub(crate) async fn event_types(&self, id: &str) -> Vec<String> {
        types_of(&self.events(id).await)
    }

    /// Waits until the message has events of these types and no others, whatever their order.
    pub(crate) async fn told(&self, id: &str, types: &[&str]) -> Vec<Value> {
        let mut expected = types.to_vec();
        expected.sort_unstable();
        let path = format!("/v1/messages/{id}/events");
        let read = async || {
            let reply = self.get(&path).await;
            // Until a worker has stored the message, it is not there.
            assert!([200, 404].contains(&reply.status), "{reply:?}");
            let mut types = types_of(reply.json()["data"].as_array().unwrap_or(&Vec::new()));
            types.sort_unstable();
            types
        };
        until(&format!("events {types:?}"), read, |types| *types == expected).await;
        self.events(id).await
    }

    /// Why the address is suppressed, if it is.
    pub(crate) async fn suppression(&self, email: &str) -> Option<String> {
        let path = format!("/v1/suppressions?email={}", email.replace('+', "%2B"));
        let answer = self.get(&path).await.expect(200);
        let rows = answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
        assert!(rows.len() <= 1, "{answer}");
        rows.first().map(|row| row["reason"].as_str().expect("a reason").to_owned())
    }

    /// The same tenant at another ingest.
    pub(crate) fn at(&self, url: &Url) -> Self {
        Self { url: url.clone(), ..self.clone() }
    }

    /// Where Mailjet posts this tenant's events.
    pub(crate) fn webhook_url(&self) -> Url {
        self.url.join(&format!("/v1/webhooks/email/mailjet/{}", self.id)).expect("a path")
    }

    /// Posts a webhook, as Mailjet does.
    pub(crate) async fn webhook(&self, body: impl Into<Body>) -> Reply {
        let request = http::client().post(self.webhook_url()).header("content-type", "application/json");
        http::send(request.body(body)).await
    }

    /// Posts events, which must be taken.
    pub(crate) async fn tell(&self, events: &[Value]) {
        let reply = self.webhook(json!(events).to_string()).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{reply:?}");
    }

    /// Waits until every webhook posted before this call has been processed: the complaint posted here is the last of the
    /// queue, and a worker of these tests takes one batch after the other. Does not hold for bodies over 64 KiB, which
    /// wait in another queue, nor for several workers.
    pub(crate) async fn drained(&self) {
        let last = format!("last-{}@example.net", Uuid::new_v4().simple());
        let complaint = json!({"event": "spam", "time": 1_700_000_000, "MessageID": 42, "email": last});
        self.tell(&[complaint]).await;
        until("the last webhook", async || self.suppression(&last).await, Option::is_some).await;
    }
}

fn types_of(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

/// A plain mail to one address.
pub(crate) fn plain(to: &str) -> Value {
    json!({"to": to, "subject": "Hello", "bodyText": "Hello there."})
}

//! A running stand-in, and words to talk to it.

use std::{future::Future, net::TcpListener, time::Duration};

use mailjet_sim::Settings;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// No condition may take longer to come about.
const DEADLINE: Duration = Duration::from_secs(10);

/// A stand-in on a port of its own; it ends with the value.
pub(crate) struct Sim {
    pub(crate) base: String,
    client: Client,
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    _guard: DropGuard,
}

/// Settings under which a test need not wait long.
pub(crate) fn quick() -> Settings {
    let (retry, event_delay) = (Duration::from_millis(30), Duration::from_millis(30));
    Settings { retry, event_delay, ..Settings::default() }
}

impl Sim {
    pub(crate) fn start() -> Self {
        Self::with(quick())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        // Another test of this process may have been first; one provider is as good as the other.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let tracker = TaskTracker::new();
        let served = mailjet_sim::run(settings, listener, shutdown.clone());
        tracker.spawn(async move { served.await.unwrap() });
        let guard = shutdown.clone().drop_guard();
        Self { base, client: Client::new(), tracker, shutdown, _guard: guard }
    }

    /// A request with good credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).basic_auth("key", Some("secret"))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    /// The status and the JSON of an answer; null when it has no body.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.request(method, path).json(body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub(crate) async fn send(&self, messages: &[Value]) -> (u16, Value) {
        self.post("/v3.1/send", &json!({ "Messages": messages })).await
    }

    /// Registers one URL for every type of event.
    pub(crate) async fn register(&self, url: &str, version: u8) {
        for kind in ["sent", "open", "click", "bounce", "blocked", "spam", "unsub"] {
            let row = json!({"EventType": kind, "Url": url, "Version": version});
            assert_eq!(self.post("/v3/REST/eventcallbackurl", &row).await.0, 201);
        }
    }

    pub(crate) async fn fault(&self, order: &Value) -> u64 {
        let (status, made) = self.post("/sim/faults", order).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_u64().unwrap()
    }

    /// One of the counters.
    pub(crate) async fn stat(&self, name: &str) -> u64 {
        self.get("/sim/stats").await[name].as_u64().unwrap()
    }
}

/// A sound message to this address.
pub(crate) fn message(to: &str, custom_id: &str) -> Value {
    json!({
        "From": {"Email": "pilot@example.com", "Name": "Pilot"},
        "To": [{"Email": to}],
        "Subject": "hello",
        "TextPart": "hello there",
        "CustomID": custom_id,
        "EventPayload": "payload",
    })
}

/// The codes of a message's errors.
pub(crate) fn codes(outcome: &Value) -> Vec<&str> {
    outcome["Errors"].as_array().unwrap().iter().map(|error| error["ErrorCode"].as_str().unwrap()).collect()
}

/// Asks until there is an answer, and no longer than the deadline.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "still waiting for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

//! The stand-in for Mailjet: what it accepted, what it is told to do wrong, and where it sends events.

use std::path::Path;

use reqwest::{Method, Url};
use serde_json::{Value, json};
use testbed::{ports, process::Process};

use super::{http, servers::program, wait::eventually};

/// Every type of event that Mailjet tells.
const TYPES: [&str; 7] = ["sent", "open", "click", "bounce", "blocked", "spam", "unsub"];

/// A running `mailjet-sim`.
#[derive(Debug)]
pub(crate) struct Sim {
    /// The program.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Sim {
    /// Starts one that is quick with its events, with these settings besides.
    pub(crate) async fn start(folder: &Path, more: &[(&'static str, String)]) -> Self {
        let port = ports::free();
        let mut variables = vec![
            ("MAILJET_SIM_LISTEN", format!("127.0.0.1:{port}")),
            ("MAILJET_SIM_EVENT_DELAY", "50ms".to_owned()),
            ("MAILJET_SIM_RETRY", "300ms".to_owned()),
        ];
        variables.extend_from_slice(more);
        let process = Process::start(&program("mailjet-sim"), "mailjet-sim", folder, &variables);
        let this = Self { process, port };
        eventually("mailjet-sim to answer", async || {
            http::try_send(this.request(Method::GET, "/healthz")).await.ok()
        })
        .await;
        this
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        http::client().request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }

    async fn get(&self, path: &str) -> Value {
        http::send(self.request(Method::GET, path)).await.expect(200)
    }

    /// What it accepted under this id, oldest first.
    pub(crate) async fn copies(&self, custom_id: &str) -> Vec<Value> {
        self.list(&format!("/sim/messages?limit=1000&customId={custom_id}")).await
    }

    /// Everything it accepted, oldest first.
    pub(crate) async fn messages(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let last = all.last().map_or(0, |message| message["seq"].as_u64().expect("a number"));
            let page = self.list(&format!("/sim/messages?limit=10000&after={last}")).await;
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// What it refused for what it holds, oldest first.
    pub(crate) async fn refusals(&self) -> Vec<Value> {
        self.list("/sim/refusals").await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).await["data"].as_array().expect("a list of messages").clone()
    }

    /// The one message that it accepted under this id.
    pub(crate) async fn only_copy(&self, custom_id: &str) -> Value {
        let mut copies = self.copies(custom_id).await;
        assert_eq!(copies.len(), 1, "{copies:#?}");
        copies.remove(0)
    }

    /// One of its counters.
    pub(crate) async fn stat(&self, name: &str) -> u64 {
        let stats = self.get("/sim/stats").await;
        stats[name].as_u64().unwrap_or_else(|| panic!("no counter {name}: {stats}"))
    }

    /// Makes something go wrong; `count` is how often.
    pub(crate) async fn fault(&self, kind: &str, count: Option<u64>, delay_ms: u64) {
        self.order(&json!({"kind": kind, "count": count, "delayMs": delay_ms})).await;
    }

    /// Makes something go wrong, as the order says; answers the id of the fault.
    pub(crate) async fn order(&self, fault: &Value) -> u64 {
        let made = http::send(self.request(Method::POST, "/sim/faults").json(fault)).await.expect(201);
        made["id"].as_u64().expect("an id")
    }

    /// The faults with how often they struck, and under `kinds` all that there are.
    pub(crate) async fn faults(&self) -> Value {
        self.get("/sim/faults").await
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn heal(&self) {
        http::send(self.request(Method::DELETE, "/sim/faults")).await.expect(204);
    }

    /// Publishes and withdraws records of a domain.
    pub(crate) async fn publish(&self, domain: &str, change: &Value) {
        http::send(self.request(Method::POST, &format!("/sim/dns/{domain}")).json(change)).await.expect(200);
    }

    /// What a domain publishes, and how often it was looked at.
    pub(crate) async fn dns(&self, domain: &str) -> Value {
        self.get(&format!("/sim/dns/{domain}")).await
    }

    /// A call of a REST resource, as somebody else makes it with the same account.
    pub(crate) async fn rest(
        &self,
        (key, secret): &(String, String),
        method: Method,
        path: &str,
        body: &Value,
    ) -> http::Reply {
        let request = self.request(method, &format!("/v3/REST/{}", path.replace('|', "%7C")));
        http::send(request.basic_auth(key, Some(secret)).json(body)).await
    }

    /// Has all events of an account posted to a URL.
    pub(crate) async fn register(&self, (key, secret): (&str, &str), url: &Url, version: u8) {
        for kind in TYPES {
            let row = json!({"EventType": kind, "Url": url.as_str(), "Version": version});
            let request = self.request(Method::POST, "/v3/REST/eventcallbackurl");
            http::send(request.basic_auth(key, Some(secret)).json(&row)).await.expect(201);
        }
    }

    /// What is registered for an account.
    pub(crate) async fn callbacks(&self, account: &str) -> Vec<Value> {
        self.list(&format!("/sim/callbacks/{account}")).await
    }

    /// Gives up the URL of a row, named as in `open|false`.
    pub(crate) async fn bury(&self, account: &str, element: &str) {
        let path = format!("/sim/callbacks/{account}/{}/dead", element.replace('|', "%7C"));
        http::send(self.request(Method::POST, &path)).await.expect(204);
    }
}

//! The stand-in for Mailjet: the second ledger, and a source of faults.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testbed::ports;
use testbed::process::Process;

use crate::client::{Answer, ask, http};

/// Every type of event that Mailjet tells.
const TYPES: [&str; 7] = ["sent", "open", "click", "bounce", "blocked", "spam", "unsub"];

/// Tries of a reading.
const TRIES: usize = 5;

/// A running `mailjet-sim`.
#[derive(Debug)]
pub(crate) struct Simulator {
    /// Where it listens.
    pub(crate) port: u16,
    _process: Process,
}

impl Simulator {
    /// Starts one that is quick with its events, and keeps everything.
    pub(crate) async fn start(programs: &Path, folder: &Path, seed: u64) -> Result<Self> {
        let port = ports::free();
        let variables = [
            ("MAILJET_SIM_LISTEN", format!("127.0.0.1:{port}")),
            ("MAILJET_SIM_EVENT_DELAY", "50ms".to_owned()),
            ("MAILJET_SIM_RETRY", "300ms".to_owned()),
            ("MAILJET_SIM_KEEP", "100000000".to_owned()),
            ("MAILJET_SIM_SEED", seed.to_string()),
            ("RUST_LOG", "warn".to_owned()),
        ];
        let process = Process::start(&programs.join("mailjet-sim"), "mailjet-sim", folder, &variables);
        let this = Self { port, _process: process };
        for _ in 0..600 {
            if let Answer::Status(200, _) = ask(this.request(Method::GET, "/healthz")).await {
                return Ok(this);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("mailjet-sim does not answer")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http().request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }

    /// Asks a few times: on a busy machine one answer may come too late.
    async fn get(&self, path: &str) -> Result<Value> {
        for _ in 0..TRIES {
            if let Some(body) = ask(self.request(Method::GET, path)).await.body(200) {
                return Ok(body);
            }
        }
        anyhow::bail!("mailjet-sim does not answer: {path}")
    }

    /// Has all events of an account posted to a URL, in groups.
    pub(crate) async fn register(&self, (key, secret): (&str, &str), url: &str) -> Result<()> {
        for kind in TYPES {
            let row = json!({"EventType": kind, "Url": url, "Version": 2});
            let request = self.request(Method::POST, "/v3/REST/eventcallbackurl");
            let answer = ask(request.basic_auth(key, Some(secret)).json(&row)).await;
            answer.body(201).context("a callback URL was not registered")?;
        }
        Ok(())
    }

    /// Makes something go wrong; answers the id of the fault.
    pub(crate) async fn order(&self, fault: &Value) -> Result<u64> {
        let answer = ask(self.request(Method::POST, "/sim/faults").json(fault)).await;
        let made = answer.body(201).with_context(|| format!("mailjet-sim takes no such fault: {fault}"))?;
        made["id"].as_u64().context("a fault without an id")
    }

    /// Every kind of fault that there is.
    pub(crate) async fn kinds(&self) -> Result<Vec<String>> {
        let faults = self.get("/sim/faults").await?;
        let kinds = faults["kinds"].as_array().context("no kinds of faults")?;
        Ok(kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// How often a fault has struck.
    pub(crate) async fn struck(&self, id: u64) -> Result<u64> {
        let faults = self.get("/sim/faults").await?;
        let mut list = faults["data"].as_array().context("no list of faults")?.iter();
        let fault = list.find(|fault| fault["id"] == id).context("a fault has gone")?;
        fault["struck"].as_u64().context("a fault that counts nothing")
    }

    /// Ends a fault.
    pub(crate) async fn end(&self, id: u64) -> Result<()> {
        let answer = ask(self.request(Method::DELETE, &format!("/sim/faults/{id}"))).await;
        answer.body(204).context("a fault does not end")?;
        Ok(())
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn heal(&self) -> Result<()> {
        let answer = ask(self.request(Method::DELETE, "/sim/faults")).await;
        answer.body(204).context("faults do not end")?;
        Ok(())
    }

    /// Its counters.
    pub(crate) async fn stats(&self) -> Result<Value> {
        self.get("/sim/stats").await
    }

    /// What `keep` makes of everything that it accepted, oldest first.
    pub(crate) async fn accepted<T>(&self, keep: impl Fn(&Value) -> T) -> Result<Vec<T>> {
        let (mut all, mut last) = (Vec::new(), 0);
        loop {
            let page = self.get(&format!("/sim/messages?limit=1000&after={last}")).await?;
            let page = page["data"].as_array().context("no list of messages")?;
            let Some(end) = page.last() else { return Ok(all) };
            last = end["seq"].as_u64().context("a message without a place")?;
            all.extend(page.iter().map(&keep));
        }
    }

    /// What it refused for what it holds and for nothing else, oldest first.
    pub(crate) async fn refused(&self) -> Result<Vec<Value>> {
        let answer = self.get("/sim/refusals?own=true").await?;
        answer["data"].as_array().cloned().context("no list of refusals")
    }
}

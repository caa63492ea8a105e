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

    /// Asks for a change a few times, until it is answered with one of these statuses.
    async fn change(&self, request: impl Fn() -> RequestBuilder, done: &[u16]) -> Result<()> {
        for _ in 0..TRIES {
            match ask(request()).await {
                Answer::Status(status, _) if done.contains(&status) => return Ok(()),
                Answer::Status(status, body) => anyhow::bail!("mailjet-sim answers {status}: {body}"),
                Answer::Nothing => {}
            }
        }
        anyhow::bail!("mailjet-sim does not answer an order")
    }

    /// Makes something go wrong. An order that was taken and not heard of leaves a second fault of the kind for the account;
    /// so faults are counted and ended by those two, not by their ids.
    pub(crate) async fn order(&self, fault: &Value) -> Result<()> {
        let made = self.change(|| self.request(Method::POST, "/sim/faults").json(fault), &[201]).await;
        made.with_context(|| format!("the fault {fault}"))
    }

    /// Every kind of fault that there is.
    pub(crate) async fn kinds(&self) -> Result<Vec<String>> {
        let faults = self.get("/sim/faults").await?;
        kinds(&faults)
    }

    /// The faults of this kind for this account.
    async fn faults(&self, kind: &str, account: &str) -> Result<Vec<Value>> {
        let faults = self.get("/sim/faults").await?;
        let list = faults["data"].as_array().context("no list of faults")?.iter();
        let those = list.filter(|fault| fault["kind"] == kind && fault["account"] == account);
        Ok(those.cloned().collect())
    }

    /// How often faults of this kind have struck this account.
    pub(crate) async fn struck(&self, kind: &str, account: &str) -> Result<u64> {
        let faults = self.faults(kind, account).await?;
        anyhow::ensure!(!faults.is_empty(), "a fault has gone");
        let each = faults.iter().map(|fault| fault["struck"].as_u64());
        each.sum::<Option<u64>>().context("a fault that counts nothing")
    }

    /// Ends every fault of this kind for this account.
    pub(crate) async fn end(&self, kind: &str, account: &str) -> Result<()> {
        for fault in self.faults(kind, account).await? {
            let path = format!("/sim/faults/{}", fault["id"]);
            // It is gone already where a try before was not heard of.
            let ended = self.change(|| self.request(Method::DELETE, &path), &[204, 404]).await;
            ended.context("a fault does not end")?;
        }
        Ok(())
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn heal(&self) -> Result<()> {
        let healed = self.change(|| self.request(Method::DELETE, "/sim/faults"), &[204]).await;
        healed.context("faults do not end")
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

/// Every kind of fault in a list of the faults.
fn kinds(faults: &Value) -> Result<Vec<String>> {
    let kinds = faults["kinds"].as_array().context("no kinds of faults")?;
    anyhow::ensure!(!kinds.is_empty(), "mailjet-sim knows no kinds of faults");
    let name = |kind: &Value| kind.as_str().map(str::to_owned);
    kinds.iter().map(name).collect::<Option<_>>().context("a kind of fault is no text")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::kinds;

    #[test]
    fn no_kind_of_fault_is_passed_over() {
        assert_eq!(kinds(&json!({"kinds": ["hang", "delay"]})).unwrap(), ["hang", "delay"]);
        for broken in [json!({"kinds": []}), json!({"kinds": ["hang", 7]}), json!({})] {
            assert!(kinds(&broken).is_err(), "{broken}");
        }
    }
}

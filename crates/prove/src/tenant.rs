//! A tenant, as its backend knows it.

use anyhow::{Context as _, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, ask, http};
use crate::program::Program;

/// Tries of a reading.
const TRIES: usize = 5;

/// A tenant with an account at the stand-in.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    /// API key and secret at Mailjet.
    pub(crate) account: (String, String),
    key: String,
}

impl Tenant {
    /// From what `raven tenant create --json` printed.
    pub(crate) fn of(created: &str) -> Result<Self> {
        let created: Value = serde_json::from_str(created)?;
        let text = |name: &str| created[name].as_str().map(str::to_owned).context("an incomplete tenant");
        let half = |kind| format!("{kind}{}", Uuid::new_v4().simple());
        Ok(Self { id: text("tenantId")?, key: text("apiKey")?, account: (half("mjkey"), half("mjsecret")) })
    }

    /// A request with the key, at this ingest.
    pub(crate) fn request(&self, at: &Program, method: Method, path: &str) -> RequestBuilder {
        http().request(method, at.client_url(path)).header("X-Raven-Key", &self.key)
    }

    /// Asks for something.
    pub(crate) async fn get(&self, at: &Program, path: &str) -> Answer {
        ask(self.request(at, Method::GET, path)).await
    }

    /// Posts something.
    pub(crate) async fn post(&self, at: &Program, path: &str, body: &Value) -> Answer {
        ask(self.request(at, Method::POST, path).json(body)).await
    }

    /// Stores the account at Mailjet.
    pub(crate) async fn set_account(&self, at: &Program) -> Result<()> {
        let account = json!({
            "from_email": "hello@shop.example", "from_name": "Shop",
            "api_key": self.account.0, "api_secret": self.account.1,
        });
        let answer = ask(self.request(at, Method::PUT, "/v1/providers/mailjet").json(&account)).await;
        match answer {
            Answer::Status(200..300, _) => Ok(()),
            other => anyhow::bail!("the account was not stored: {other:?}"),
        }
    }

    /// A page of a list, asked for a few times: on a busy machine one answer may come too late.
    async fn page(&self, at: &Program, path: &str) -> Result<Value> {
        for _ in 0..TRIES {
            if let Some(page) = self.get(at, path).await.body(200) {
                return Ok(page);
            }
        }
        anyhow::bail!("no answer from {path}")
    }

    /// Every row of a list, page by page.
    pub(crate) async fn list(&self, at: &Program, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.page(at, &format!("{path}?limit=500{cursor}")).await?;
            rows.extend(page["data"].as_array().into_iter().flatten().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    /// A page of the history of everything, after a cursor; with the cursor for the next.
    pub(crate) async fn feed(&self, at: &Program, after: &str) -> Option<(Vec<Value>, Option<String>)> {
        let query = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let page = self.get(at, &format!("/v1/events?limit=500{query}")).await.body(200)?;
        let rows = page["data"].as_array()?.clone();
        Some((rows, page["nextCursor"].as_str().map(str::to_owned)))
    }
}

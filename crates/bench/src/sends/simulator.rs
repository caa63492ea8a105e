//! The stand-in for Mailjet: started for one measurement, and asked what it accepted.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::http::Base;
use crate::installation::Installation;
use crate::process::Process;

/// How long a call takes at Mailjet.
pub(super) const LATENCY: &str = "50ms";
/// Accepted messages that are asked for at once.
const PAGE: usize = 5000;

/// A running stand-in.
pub(super) struct Simulator {
    process: Process,
    base: Base,
    pub(super) address: String,
}

/// What it counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub(super) calls: usize,
    pub(super) refused_calls: usize,
    pub(super) refused_messages: usize,
    pub(super) accepted_messages: usize,
    pub(super) duplicates: usize,
}

/// A message in its ledger.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    seq: u64,
    pub(super) custom_id: Uuid,
    pub(super) api_key: String,
    /// When its call came in.
    pub(super) received_at: Timestamp,
    pub(super) recipients: Vec<Recipient>,
}

/// A recipient of such a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient {
    /// A number too large for some readers of JSON, so it comes as text.
    pub(super) message_id: String,
}

impl Simulator {
    /// Starts one that answers after this time, and keeps so many messages in its ledger.
    pub(super) async fn start(installation: &Installation, latency: &str, keep: usize) -> Result<Self> {
        let keep = keep.to_string();
        let (process, base, address) =
            installation.start_simulator(&["--latency", latency, "--keep", &keep]).await?;
        Ok(Self { process, base, address })
    }

    /// For `MAILJET_URL`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The id of its process.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Answers every call with 429 from now on.
    pub(super) async fn refuse_everything(&self) -> Result<()> {
        self.base.succeed("POST", "/sim/faults", r#"{"kind": "rate_limit"}"#).await?;
        Ok(())
    }

    /// What it counted so far.
    pub(super) async fn counts(&self) -> Result<Counts> {
        Ok(serde_json::from_str(&self.base.succeed("GET", "/sim/stats", "").await?)?)
    }

    /// Every message in its ledger, doubles included.
    pub(super) async fn accepted(&self) -> Result<Vec<Accepted>> {
        let mut all: Vec<Accepted> = Vec::new();
        loop {
            let after = all.last().map_or(0, |last| last.seq);
            let path = format!("/sim/messages?limit={PAGE}&after={after}");
            let mut page: Value = serde_json::from_str(&self.base.succeed("GET", &path, "").await?)?;
            let page: Vec<Accepted> =
                serde_json::from_value(page["data"].take()).context("the ledger reads differently")?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

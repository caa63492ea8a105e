//! The second ledger and the third: what the stand-in accepted and refused, and what Raven's API says.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use serde_json::Value;

use crate::site::Site;

/// Both of them.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    /// By id: the subject of each copy that the stand-in accepted.
    pub(crate) accepted: HashMap<String, Vec<String>>,
    /// By id: what the stand-in refused.
    pub(crate) refused: HashMap<String, Vec<Value>>,
    /// By id: the message as Raven shows it.
    pub(crate) messages: HashMap<String, Value>,
    /// Every event that Raven shows.
    pub(crate) events: Vec<Value>,
    /// Keys that live, with the number of their tenant.
    pub(crate) keys: HashSet<(usize, String)>,
    /// Suppressed addresses, with the number of their tenant.
    pub(crate) suppressed: HashSet<(usize, String)>,
    /// What waits in queues that must be empty.
    pub(crate) queued: Vec<(String, u64)>,
}

impl Ledgers {
    /// Reads both from the first to the last row.
    pub(crate) async fn read(site: &Site) -> Result<Self> {
        let mut this = Self::default();
        for copy in site.simulator.accepted().await? {
            this.accepted.entry(text(&copy["customId"])).or_default().push(text(&copy["subject"]));
        }
        for refused in site.simulator.refused().await? {
            this.refused.entry(text(&refused["customId"])).or_default().push(refused);
        }
        let ingest = site.ingest(0);
        for (number, tenant) in site.everyone().enumerate() {
            let messages = tenant.list(ingest, "/v1/messages").await?;
            this.messages.extend(messages.into_iter().map(|message| (text(&message["id"]), message)));
            let keys = tenant.list(ingest, "/v1/keys").await?;
            let live = keys.iter().filter(|key| key["revokedAt"].is_null());
            this.keys.extend(live.map(|key| (number, text(&key["keyId"]))));
            let rows = tenant.list(ingest, "/v1/suppressions").await?;
            this.suppressed.extend(rows.iter().map(|row| (number, text(&row["email"]))));
            let mut after = String::new();
            while let Some((rows, Some(next))) = tenant.feed(ingest, &after).await {
                this.events.extend(rows);
                after = next;
            }
        }
        this.queued = site.servers.queues().await?;
        this.queued.retain(|(_, waiting)| *waiting > 0);
        Ok(this)
    }
}

/// A text, or nothing.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

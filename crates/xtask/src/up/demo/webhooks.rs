//! Telling the simulator where to report what becomes of a mail, as one would tell Mailjet.

use anyhow::Result;
use serde_json::json;

use super::{KEY, SECRET, expect};
use crate::http::{Http, basic};
use crate::progress::say;
use crate::up::services::Urls;

const EVENTS: [&str; 7] = ["sent", "open", "click", "bounce", "blocked", "spam", "unsub"];

/// Registers all seven; one that exists is changed to the URL of now.
pub(super) fn register(http: &Http, urls: &Urls, tenant: &str) -> Result<()> {
    let resource = format!("{}/v3/REST/eventcallbackurl", urls.simulator);
    let account = basic(KEY, SECRET);
    let target = format!("{}/v1/webhooks/email/mailjet/{tenant}", urls.ingest);
    for event in EVENTS {
        let body = json!({"EventType": event, "Url": target, "Version": 2});
        let mut answer = http.post(&resource, &account, &body)?;
        if answer.status == 400 {
            // The key of an existing one is `event|isBackup`.
            answer = http.put(&format!("{resource}/{event}%7Cfalse"), &account, &body)?;
        }
        // 304: it is registered just so already.
        if answer.status != 304 {
            expect("registering a webhook", answer)?;
        }
    }
    say("its seven webhooks are registered");
    Ok(())
}

//! The second ledger and the third: what the stand-in accepted and refused, and what Raven's API says. Of each row only
//! what is compared is kept, since a run may have millions.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::load::number;
use crate::program::Program;
use crate::site::Site;
use crate::spool::Spool;

/// Tries of a reading.
const TRIES: usize = 5;

/// A message that the stand-in accepted.
#[derive(Debug)]
pub(crate) struct Copy {
    /// Its subject.
    pub(crate) mark: String,
    /// The number of the tenant whose account it came in under.
    pub(crate) tenant: Option<usize>,
    /// Its recipients.
    pub(crate) recipients: Vec<String>,
}

/// A message as Raven shows it.
#[derive(Debug)]
pub(crate) struct Said {
    /// The number of the tenant to whom it is shown.
    pub(crate) tenant: usize,
    /// Its subject.
    pub(crate) mark: String,
    pub(crate) status: String,
    pub(crate) attempts: u64,
    pub(crate) error: Value,
    /// Each recipient's address and status.
    pub(crate) recipients: Vec<(String, String)>,
}

/// An event as Raven shows it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// The number of the tenant to whom it is shown.
    pub(crate) tenant: usize,
    /// Its message; empty where it has none.
    pub(crate) message: String,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    /// Its number, if it was posted by hand.
    pub(crate) number: Option<u64>,
}

/// Both of them.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    /// By id: each copy that the stand-in accepted.
    pub(crate) accepted: HashMap<String, Vec<Copy>>,
    /// By id: the errors with which the stand-in refused this message for itself.
    pub(crate) refused: HashMap<String, Vec<Value>>,
    /// By id: the message as Raven shows it.
    pub(crate) messages: HashMap<String, Said>,
    /// Messages that a list showed twice.
    pub(crate) listed_twice: Vec<String>,
    /// Every event that Raven shows.
    pub(crate) events: Vec<Event>,
    /// Keys that live, with the number of their tenant.
    pub(crate) keys: HashSet<(usize, String)>,
    /// Suppressed addresses, with the number of their tenant.
    pub(crate) suppressed: HashSet<(usize, String)>,
    /// What waits in queues and spools that must be empty.
    pub(crate) queued: Vec<(String, u64)>,
    /// Why it is not known what waits, where it is not. The rest can be compared all the same.
    pub(crate) unknown: Vec<String>,
}

impl Ledgers {
    /// Reads both from the first to the last row; what Raven says first, so that what it calls sent must be at the stand-in.
    pub(crate) async fn read(site: &Site) -> Result<Self> {
        let mut this = Self::default();
        for number in 0..=site.tenants.len() {
            this.read_tenant(site, number).await?;
        }
        let accounts: HashMap<&str, usize> =
            site.everyone().enumerate().map(|(number, tenant)| (tenant.account.0.as_str(), number)).collect();
        for (id, copy) in site.simulator.accepted(|row| copy(row, &accounts)).await? {
            this.accepted.entry(id).or_default().push(copy);
        }
        for refused in site.simulator.refused().await? {
            let errors = refused["errors"].as_array().cloned().unwrap_or_default();
            this.refused.entry(text(&refused["customId"])).or_default().extend(errors);
        }
        this.read_queues(site).await;
        Ok(this)
    }

    /// Reads what waits in queues and spools.
    async fn read_queues(&mut self, site: &Site) {
        match site.servers.all_queues().await {
            Ok(queues) => self.queued.extend(queues),
            Err(fault) => self.unknown.push(format!("{fault:#}")),
        }
        for program in site.spooling() {
            match spool(program).await {
                Some(spool) => {
                    let what = format!("spool of {} ({} cannot be read)", program.name, spool.unreadable);
                    self.queued.push((what, spool.waiting));
                }
                None => self.unknown.push(format!("{} does not tell how its spool is", program.name)),
            }
        }
        self.queued.retain(|(_, waiting)| *waiting > 0);
    }

    async fn read_tenant(&mut self, site: &Site, number: usize) -> Result<()> {
        let (tenant, ingest) = (site.tenant(number), site.ingest(0));
        for row in tenant.list(ingest, "/v1/messages").await? {
            let id = text(&row["id"]);
            if self.messages.insert(id.clone(), said(&row, number)).is_some() {
                self.listed_twice.push(id);
            }
        }
        let keys = tenant.list(ingest, "/v1/keys").await?;
        let live = keys.iter().filter(|key| key["revokedAt"].is_null());
        self.keys.extend(live.map(|key| (number, text(&key["keyId"]))));
        let rows = tenant.list(ingest, "/v1/suppressions").await?;
        self.suppressed.extend(rows.iter().map(|row| (number, text(&row["email"]))));
        let (mut after, mut failures) = (String::new(), 0);
        loop {
            match tenant.feed(ingest, &after).await {
                Some((rows, next)) => {
                    self.events.extend(rows.iter().map(|row| event(row, number)));
                    let Some(next) = next else { return Ok(()) };
                    (after, failures) = (next, 0);
                }
                None => failures += 1,
            }
            ensure!(failures < 10, "the history of a tenant cannot be read");
        }
    }
}

/// How a program's spool is, asked a few times: on a busy machine one answer may come too late.
async fn spool(program: &Program) -> Option<Spool> {
    for _ in 0..TRIES {
        if let Some(spool) = program.spool().await {
            return Some(spool);
        }
    }
    None
}

fn copy(row: &Value, accounts: &HashMap<&str, usize>) -> (String, Copy) {
    let recipients = row["recipients"].as_array().into_iter().flatten();
    let copy = Copy {
        mark: text(&row["subject"]),
        tenant: row["apiKey"].as_str().and_then(|key| accounts.get(key).copied()),
        recipients: recipients.map(|recipient| text(&recipient["email"])).collect(),
    };
    (text(&row["customId"]), copy)
}

fn said(row: &Value, tenant: usize) -> Said {
    let recipients = row["recipients"].as_array().into_iter().flatten();
    Said {
        tenant,
        mark: text(&row["subject"]),
        status: text(&row["status"]),
        attempts: row["attempts"].as_u64().unwrap_or_default(),
        error: row["error"].clone(),
        recipients: recipients.map(|one| (text(&one["email"]), text(&one["status"]))).collect(),
    }
}

fn event(row: &Value, tenant: usize) -> Event {
    Event {
        id: text(&row["id"]),
        tenant,
        message: text(&row["messageId"]),
        kind: text(&row["type"]),
        recipient: text(&row["recipient"]),
        number: number(row),
    }
}

/// A text, or nothing.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

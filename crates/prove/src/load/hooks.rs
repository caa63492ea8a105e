//! A Mailjet of its own will: posts groups of numbered events about messages of which the stand-in tells nothing, and
//! posts a group again until it is taken.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::Load;
use crate::client::{ask, http};
use crate::told::{Canceled, Sent};
use crate::words::SILENT;

/// Messages that are told of, for each tenant.
const EACH: usize = 5;
/// The pause between two groups.
const PAUSE: Duration = Duration::from_millis(300);
/// Groups under way at most.
const MOST: usize = 100;
/// Tries to send a message of which is told.
const SENDS: usize = 20;
/// Looks at a message until it is sent.
const LOOKS: usize = 400;

/// One message's copy, of which events can be told.
#[derive(Debug, Clone)]
struct Copy {
    tenant: usize,
    id: String,
    number: u64,
    guid: String,
    email: String,
}

/// What can be told of.
#[derive(Debug)]
pub(crate) struct Copies(Vec<Copy>);

impl Copies {
    pub(super) async fn send(load: &Load) -> Result<Self> {
        let mut copies = Vec::new();
        for tenant in 0..load.site.tenants.len() {
            for place in 0..EACH {
                copies.push(copy(load, tenant, place).await?);
            }
        }
        Ok(Self(copies))
    }
}

/// Sends one, and waits until Mailjet's numbers are known.
async fn copy(load: &Load, tenant: usize, place: usize) -> Result<Copy> {
    let mark = format!("copy{tenant}p{place}");
    let email = format!("silent+{mark}@example.com");
    load.told.book().enter(Sent {
        tenant,
        mark: mark.clone(),
        word: SILENT,
        recipients: 1,
        keyed: true,
        id: None,
        canceled: Canceled::No,
    });
    let message = json!({"to": email, "subject": mark, "bodyText": "Hello there."});
    let (owner, ingest) = (load.site.tenant(tenant), load.ingest());
    // A queue that was made just now may not take anything for a moment.
    let mut accepted = None;
    for _ in 0..SENDS {
        let request = owner.request(ingest, Method::POST, "/v1/messages").header("Idempotency-Key", &mark);
        accepted = ask(request.json(&message)).await.body(200);
        if accepted.is_some() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let accepted = accepted.context("a send failed again and again")?;
    let id = accepted["id"].as_str().context("no id")?.to_owned();
    load.told.book().answered(&mark, &id);
    for _ in 0..LOOKS {
        let message = owner.get(ingest, &format!("/v1/messages/{id}")).await.body(200).unwrap_or_default();
        let row = &message["recipients"][0];
        if let (Some(number), Some(guid)) =
            (row["providerMessageId"].as_str(), row["providerMessageUuid"].as_str())
        {
            return Ok(Copy { tenant, id, number: number.parse()?, guid: guid.to_owned(), email });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{id} was not sent in time")
}

/// Posts until the load has ended, and sees every group through.
pub(super) async fn run(load: Arc<Load>, copies: Copies, mut rng: Rng) -> Result<()> {
    let mut next = 0;
    load.keep_beginning(PAUSE, MOST, || {
        let tenant = rng.usize(..load.site.tenants.len());
        let theirs: Vec<&Copy> = copies.0.iter().filter(|copy| copy.tenant == tenant).collect();
        let numbers = next..next + rng.u64(1..=40);
        next = numbers.end;
        let mut events = Vec::new();
        for number in numbers.clone() {
            let copy = theirs[rng.usize(..theirs.len())];
            load.told.book().offered.insert(number, copy.id.clone());
            events.push(event(copy, number));
        }
        let body = Value::Array(events).to_string();
        let (load, twice) = (Arc::clone(&load), rng.u8(..10) == 0);
        async move { post(&load, tenant, &body, numbers, twice).await }
    })
    .await
}

async fn post(load: &Load, tenant: usize, body: &str, numbers: std::ops::Range<u64>, twice: bool) {
    let request = || {
        let url = load.ingest().webhook_url(&load.site.tenant(tenant).id);
        http().post(url).header("content-type", "application/json").body(body.to_owned())
    };
    let mut patience = load.insist("a webhook", &[200]);
    let answer = loop {
        let answer = ask(request()).await;
        if patience.is_over(&answer).await {
            break answer;
        }
    };
    if answer.is_for_now() {
        load.told.give_up(&answer);
    } else if answer.body(200).is_some() {
        load.told.book().events.extend(numbers);
        if twice {
            load.told.note("a webhook once more", &ask(request()).await, &[200]);
        }
    }
}

/// An opening, with its number where Mailjet hands back what the sender attached.
fn event(copy: &Copy, number: u64) -> Value {
    json!({
        "event": "open", "time": 1_767_225_600 + number, "MessageID": copy.number, "Message_GUID": copy.guid,
        "email": copy.email, "mj_campaign_id": 7_276, "mj_contact_id": 187_424_050, "customcampaign": "",
        "CustomID": copy.id, "Payload": number.to_string(), "ip": "192.0.2.7", "geo": "FR", "agent": "Prove/1.0",
    })
}

//! The same rows without Raven: `insert … unnest` and one update of statuses a batch, prepared in memory beforehand.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Barrier, OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

use super::known;
use crate::corpus::{Corpus, Event};
use crate::installation::Installation;
use crate::servers::Session;
use crate::spent::{Meter, Spent};

/// Rows of one transaction.
const BATCH: usize = 1000;

const TABLES: &str = "
create table plain_events (
    tenant_id uuid not null, sequence bigint not null generated always as identity, id uuid not null,
    fingerprint bytea not null primary key, kind text not null, message_id uuid, custom_id uuid,
    recipient text not null, recipient_key text not null, recipient_status smallint, provider text not null,
    provider_message_id text, provider_message_uuid uuid, occurred_at timestamptz not null,
    received_at timestamptz not null, reason text, url text, ip text, geo text, user_agent text, raw text not null
);
create index plain_events_message_idx on plain_events (message_id);
create table plain_messages (id uuid primary key, status smallint not null) with (fillfactor = 85);
insert into plain_messages select id, status from messages;";
const INSERT: &str = "
insert into TABLE (tenant_id, id, fingerprint, kind, message_id, custom_id, recipient, recipient_key,
    recipient_status, provider, provider_message_id, provider_message_uuid, occurred_at, received_at, reason, url, ip,
    geo, user_agent, raw)
select $1, i.id, i.fingerprint, i.kind, i.custom_id, i.custom_id, i.recipient, i.recipient, i.recipient_status,
    'mailjet', i.number, i.guid, i.occurred_at, $2, i.reason, i.url, i.ip, i.geo, i.user_agent, i.raw
from unnest($3::uuid[], $4::bytea[], $5::text[], $6::uuid[], $7::text[], $8::smallint[], $9::text[], $10::uuid[],
            $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
    as i(id, fingerprint, kind, custom_id, recipient, recipient_status, number, guid, occurred_at, reason, url, ip, geo,
         user_agent, raw)
on conflict do nothing";
const UPDATE: &str = "
update plain_messages m set status = t.status from unnest($1::uuid[], $2::smallint[]) as t(id, status)
where m.id = t.id and m.status < t.status";
/// The same in Raven's tables, where each recipient has a status as well.
const UPDATE_RAVENS: &str = "
with moved as (select * from unnest($1::uuid[], $2::smallint[]) as t(id, status)), recipients as (
    update recipients r set status = t.status from moved t where r.message_id = t.id and r.status < t.status
)
update messages m set status = t.status from moved t where m.id = t.id and m.status < t.status";

/// Where plain SQL writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tables {
    /// Tables with the same columns and as few indexes as would do: what Raven's schema costs shows beside these.
    Lean,
    /// Raven's own, with the indexes that its API needs: what its worker costs shows beside these.
    Ravens,
}

impl Tables {
    const fn events(self) -> &'static str {
        match self {
            Self::Lean => "plain_events",
            Self::Ravens => "delivery_events",
        }
    }

    const fn update(self) -> &'static str {
        match self {
            Self::Lean => UPDATE,
            Self::Ravens => UPDATE_RAVENS,
        }
    }
}

/// Columns of one batch.
#[derive(Default)]
struct Batch {
    ids: Vec<Uuid>,
    fingerprints: Vec<Vec<u8>>,
    kinds: Vec<&'static str>,
    messages: Vec<Option<Uuid>>,
    emails: Vec<String>,
    statuses: Vec<Option<i16>>,
    numbers: Vec<String>,
    guids: Vec<Uuid>,
    times: Vec<Timestamp>,
    texts: [Vec<Option<String>>; 5],
    raw: Vec<String>,
    moved: (Vec<Uuid>, Vec<i16>),
}

/// Writes the corpus over so many connections, which begin at the same moment; answers the time to the last commit,
/// and the processor time of servers meanwhile.
pub(super) async fn run(
    installation: &Installation,
    meter: Meter,
    corpus: &Corpus,
    (tables, connections): (Tables, usize),
) -> Result<(Duration, Spent)> {
    let session = installation.fresh_database().await?;
    known::insert(&session.client, installation.tenant, corpus).await?;
    if tables == Tables::Lean {
        session.client.batch_execute(TABLES).await?;
    }
    session.settle().await?;
    // Each connection has a stretch of its own, so that two never wait for the same message's row.
    let share = corpus.events.len().div_ceil(connections);
    let start = Barrier::new(connections);
    let before = OnceCell::new();
    let writers = corpus.events.chunks(share).map(async |part| {
        let batches: Vec<Batch> = part.chunks(BATCH).map(Batch::of).collect();
        let session = installation.session().await?;
        start.wait().await;
        before.get_or_init(async || meter.read(std::process::id())).await;
        write(session, installation.tenant, tables, &batches).await
    });
    let times = futures_util::future::try_join_all(writers).await?;
    let before = before.into_inner().unwrap_or_default();
    let spent = Spent { program: Duration::ZERO, ..meter.read(std::process::id()).since(before) };
    let count = format!("select count(*) from {}", tables.events());
    let row = session.client.query_one(&count, &[]).await?;
    ensure!(usize::try_from(row.get::<_, i64>(0))? == corpus.events.len(), "plain rows are missing");
    Ok((times.into_iter().max().unwrap_or_default(), spent))
}

async fn write(mut session: Session, tenant: Uuid, tables: Tables, batches: &[Batch]) -> Result<Duration> {
    let client: &mut Client = &mut session.client;
    let insert = client.prepare(&INSERT.replace("TABLE", tables.events())).await?;
    let update = client.prepare(tables.update()).await?;
    let received = Timestamp::now();
    let begun = Instant::now();
    for batch in batches {
        let [reasons, urls, ips, geos, agents] = &batch.texts;
        let transaction = client.transaction().await?;
        transaction
            .execute(
                &insert,
                &[
                    &tenant,
                    &received,
                    &batch.ids,
                    &batch.fingerprints,
                    &batch.kinds,
                    &batch.messages,
                    &batch.emails,
                    &batch.statuses,
                    &batch.numbers,
                    &batch.guids,
                    &batch.times,
                    reasons,
                    urls,
                    ips,
                    geos,
                    agents,
                    &batch.raw,
                ],
            )
            .await?;
        transaction.execute(&update, &[&batch.moved.0, &batch.moved.1]).await?;
        transaction.commit().await?;
    }
    Ok(begun.elapsed())
}

impl Batch {
    fn of(events: &[Event]) -> Self {
        let mut this = Self::default();
        let mut moved: HashMap<Uuid, i16> = HashMap::new();
        for event in events {
            this.ids.push(Uuid::now_v7());
            this.fingerprints.push(Sha256::digest(event.json.as_bytes()).to_vec());
            this.kinds.push(event.kind.as_str());
            this.messages.push(event.copy.message);
            this.emails.push(event.copy.email.clone());
            this.statuses.push(event.kind.status());
            this.numbers.push(event.copy.number.to_string());
            this.guids.push(event.copy.guid);
            this.times.push(event.at);
            for (column, name) in this.texts.iter_mut().zip(["comment", "url", "ip", "geo", "agent"]) {
                column.push(text(&event.json, name));
            }
            this.raw.push(event.json.clone());
            if let (Some(id), Some(status)) = (event.copy.message, event.kind.status()) {
                moved.entry(id).and_modify(|most| *most = status.max(*most)).or_insert(status);
            }
        }
        let mut moved: Vec<(Uuid, i16)> = moved.into_iter().collect();
        moved.sort_unstable();
        this.moved = moved.into_iter().unzip();
        this
    }
}

/// A field of an event, of which the worker makes a column as well; what a server answered takes the place of a comment.
fn text(json: &str, name: &str) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(json).ok()?;
    let other = if name == "comment" { "smtp_reply" } else { name };
    let value = fields.get(name).or_else(|| fields.get(other))?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_a_row_for_each_event_and_moves_each_message_once() {
        let corpus = Corpus::new(1000);
        let batch = Batch::of(&corpus.events);
        let columns = batch.texts.iter().map(Vec::len).chain([batch.ids.len(), batch.raw.len()]);
        assert!(columns.into_iter().all(|rows| rows == 1000));
        let (ids, statuses) = &batch.moved;
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert_eq!(ids.len(), statuses.len());
        assert_eq!(ids.len(), known::statuses(&corpus).len());
    }

    #[test]
    fn columns_are_read_from_the_event() {
        let json = r#"{"smtp_reply": "sent (250)", "geo": "", "ip": "192.0.2.7"}"#;
        assert_eq!(text(json, "comment").as_deref(), Some("sent (250)"));
        assert_eq!(text(json, "ip").as_deref(), Some("192.0.2.7"));
        assert_eq!(text(json, "geo"), None);
    }
}

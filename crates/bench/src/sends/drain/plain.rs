//! The same rows without Raven: each batch inserted in one statement, as a claim does, and after its commit updated in
//! another, as outcomes do. Nobody is called in between, and everything is prepared in memory beforehand.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Barrier, OnceCell};
use uuid::Uuid;

use super::Drained;
use crate::installation::Installation;
use crate::sends::SENT;
use crate::sends::letters::Letter;
use crate::servers::Session;
use crate::spent::{Meter, Spent};

/// Messages of one transaction.
const BATCH: usize = 100;
const CONNECTIONS: usize = 2;
/// Above every number that the stand-in would give.
const FIRST_NUMBER: i64 = 1 << 61;

/// Status 20 is `sending`, with a lease.
const CLAIM: &str = "
with i as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[],
                         $8::bytea[])
        as t(id, tenant_id, email, envelope, subject, created_at, content, account)
), m as (
    insert into messages (id, tenant_id, status, sandbox, attempts, due_at, asks, envelope, subject, digest, created_at)
    select id, tenant_id, 20, false, 1, now() + interval '22 s', true, envelope, subject, 'bench', created_at from i
    on conflict do nothing
), c as (
    insert into message_contents (message_id, tenant_id, content) select id, tenant_id, content from i
), r as (
    insert into recipients (message_id, email_key, tenant_id, position, email, status)
    select id, email, tenant_id, 0, email, 20 from i
)
insert into attempts (message_id, attempt, tenant_id, account) select id, 1, tenant_id, account from i";
/// Status 40 is `sent`.
const OUTCOME: &str = "
with t as (select * from unnest($1::uuid[], $2::bigint[], $3::uuid[]) as t(id, number, uuid)), r as (
    update recipients r set status = 40, provider_message_id = t.number, provider_message_uuid = t.uuid
    from t where r.message_id = t.id
), a as (
    update attempts a set finished_at = now(), outcome = 'accepted'
    from t where a.message_id = t.id and a.attempt = 1
)
update messages m set status = 40, due_at = null, asks = false, updated_at = now() from t where m.id = t.id";

/// Columns of one batch.
#[derive(Default)]
struct Batch<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    emails: Vec<&'a str>,
    envelopes: Vec<String>,
    subjects: Vec<&'a str>,
    created: Vec<Timestamp>,
    contents: Vec<&'a [u8]>,
    accounts: Vec<Vec<u8>>,
    numbers: Vec<i64>,
    uuids: Vec<Uuid>,
}

/// Writes these messages over two connections, which begin at the same moment.
pub(super) async fn run(installation: &Installation, meter: Meter, letters: &[Letter]) -> Result<Drained> {
    let session = installation.fresh_database().await?;
    session.settle().await?;
    let start = Barrier::new(CONNECTIONS);
    let before = OnceCell::new();
    let share = letters.len().div_ceil(CONNECTIONS);
    let writers = letters.chunks(share).zip(0..).map(async |(part, lane)| {
        let first = FIRST_NUMBER + (i64::from(lane) << 32);
        let batches = part.chunks(BATCH).zip((first..).step_by(BATCH));
        let batches: Vec<Batch<'_>> = batches.map(|(part, first)| Batch::of(part, first)).collect();
        let session = installation.session().await?;
        start.wait().await;
        before.get_or_init(async || meter.read(std::process::id())).await;
        write(session, &batches).await
    });
    let times = futures_util::future::try_join_all(writers).await?;
    let spent = meter.read(std::process::id()).since(before.into_inner().unwrap_or_default());
    let row = session.client.query_one(SENT, &[]).await?;
    ensure!(usize::try_from(row.get::<_, i64>(0))? == letters.len(), "plain rows are missing");
    let time = times.into_iter().max().unwrap_or_default();
    let spent = Spent { postgres: spent.postgres, ..Spent::default() };
    Ok(Drained { messages: letters.len(), time, calls: 0, spent })
}

/// Each statement is a transaction of its own.
async fn write(session: Session, batches: &[Batch<'_>]) -> Result<Duration> {
    let client = &session.client;
    let claim = client.prepare(CLAIM).await?;
    let outcome = client.prepare(OUTCOME).await?;
    let begun = Instant::now();
    for batch in batches {
        client
            .execute(
                &claim,
                &[
                    &batch.ids,
                    &batch.tenants,
                    &batch.emails,
                    &batch.envelopes,
                    &batch.subjects,
                    &batch.created,
                    &batch.contents,
                    &batch.accounts,
                ],
            )
            .await?;
        client.execute(&outcome, &[&batch.ids, &batch.numbers, &batch.uuids]).await?;
    }
    Ok(begun.elapsed())
}

impl<'a> Batch<'a> {
    fn of(letters: &'a [Letter], first: i64) -> Self {
        let mut this = Self::default();
        for (letter, number) in letters.iter().zip(first..) {
            this.ids.push(letter.id);
            this.tenants.push(letter.tenant);
            this.emails.push(&letter.email);
            this.envelopes.push(format!("{{\"to\":[{{\"email\":\"{}\"}}]}}", letter.email));
            this.subjects.push(&letter.subject);
            this.created.push(letter.accepted_at);
            this.contents.push(&letter.body);
            this.accounts.push(Sha256::digest(letter.account.as_bytes()).to_vec());
            this.numbers.push(number);
            this.uuids.push(Uuid::new_v4());
        }
        this
    }
}

//! Taking on messages that arrive from the queue.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::{MessageId, QueuedMessage, Reason, Status};
use serde::Serialize;
use uuid::Uuid;

use super::read::Envelope;
use super::settle::{self, Move};
use crate::lent::Lent;
use crate::providers::AccountDigest;
use crate::{Error, Store};

/// A message from the queue.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The message.
    pub queued: &'a QueuedMessage,
    /// Its bytes as they came, to be kept.
    pub content: &'a [u8],
    /// What to do with it, unless it is scheduled or has no recipient left.
    pub plan: Plan<'a>,
}

/// What is to become of a message that arrives.
#[derive(Debug, Clone, Copy)]
pub enum Plan<'a> {
    /// Claim it: the caller is going to send it now, with this account.
    Send(AccountDigest),
    /// Keep it as due at once, for whoever has room for it first; and say why, if there is anything to say.
    Keep(Option<&'a Reason>),
}

/// A message that the caller, and nobody else, is to send now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// Keys of the recipients to leave out.
    pub left_out: HashSet<String>,
}

/// Everything in one statement, so that it is one round trip and one commit:
/// a message that is in the table already is left alone (a redelivery, or a repeat under an idempotency key).
const CLAIM: &str = "
with input as (
    select * from unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::timestamptz[], $5::text[], $6::text[],
                         $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::bytea[],
                         $20::bytea[], $21::text[], $22::text[])
        as t(id, tenant_id, sandbox, scheduled_at, envelope, subject, tags, metadata, digest, created_at, content,
             account, code, words)
), people as (
    select p.message_id, p.email_key, p.email, p.position, i.tenant_id,
           s.email_key is not null and i.scheduled_at is null as suppressed
    from unnest($12::uuid[], $13::text[], $14::text[], $15::smallint[]) as p(message_id, email_key, email, position)
    join input i on i.id = p.message_id
    left join suppressions s on s.tenant_id = i.tenant_id and s.email_key = p.email_key
), fates as (
    select i.id, case when i.scheduled_at is not null then $17::smallint when p.all_left_out then $18::smallint
                      when i.account is not null then $19::smallint else $23::smallint end as status
    from input i
    join (select message_id, bool_and(suppressed) as all_left_out from people group by message_id) p
        on p.message_id = i.id
), fresh as (
    insert into messages (id, tenant_id, status, sandbox, attempts, due_at, asks, scheduled_at, envelope, subject, tags,
                          metadata, digest, created_at, error_code, error_message)
    select i.id, i.tenant_id, f.status, i.sandbox,
           case when f.status = $19::smallint then 1 else 0 end,
           case f.status when $17::smallint then i.scheduled_at
                         when $19::smallint then now() + make_interval(secs => $16)
                         when $23::smallint then now() end,
           f.status = $19::smallint,
           i.scheduled_at, i.envelope, i.subject, array(select json_array_elements_text(i.tags::json)),
           i.metadata, i.digest, i.created_at,
           case when f.status = $23::smallint then i.code end, case when f.status = $23::smallint then i.words end
    from input i join fates f on f.id = i.id
    order by i.id
    on conflict on constraint messages_pkey do nothing
    returning id, tenant_id, status, created_at, tags
), kept as (
    insert into message_contents (message_id, tenant_id, content)
    select i.id, i.tenant_id, i.content from input i join fresh f on f.id = i.id
), listed as (
    insert into recipients (message_id, email_key, tenant_id, position, email, status, created_at)
    select p.message_id, p.email_key, p.tenant_id, p.position, p.email,
           case when p.suppressed then $18::smallint else f.status end, f.created_at
    from people p join fresh f on f.id = p.message_id
), tagged as (
    insert into message_tags (tenant_id, tag, created_at, message_id)
    select distinct f.tenant_id, t.tag, f.created_at, f.id from fresh f cross join lateral unnest(f.tags) as t(tag)
), tried as (
    insert into attempts (message_id, attempt, tenant_id, account)
    select f.id, 1, f.tenant_id, i.account
    from fresh f join input i on i.id = f.id where f.status = $19::smallint
)
select f.id, f.tenant_id, f.status, p.left_out,
       exists (select from delivery_events e where e.message_id is null and e.custom_id = f.id
                 and e.tenant_id is not distinct from f.tenant_id) as told_of
from fresh f
join (
    select message_id, array_agg(email_key) filter (where suppressed) as left_out from people group by message_id
) p on p.message_id = f.id";

/// Events that came before their message did.
const LINK: &str = "
update delivery_events e set message_id = e.custom_id
from unnest($1::uuid[], $2::uuid[]) as f(id, tenant_id)
where e.message_id is null and e.custom_id = f.id and e.tenant_id = f.tenant_id
returning e.message_id, e.tenant_id, e.recipient_key, e.recipient_status, e.kind";

/// Stores what has arrived, and commits the claim of everything that is to go out at once: status `sending`, attempt
/// 1, for `lease`. Scheduled messages wait for their time, and those to be kept for somebody with room; a message whose
/// recipients are all suppressed is done.
pub async fn claim(
    store: &Store,
    arrivals: &[Arrival<'_>],
    lease: Duration,
) -> Result<HashMap<MessageId, Claimed>, Error> {
    let columns = Columns::of(arrivals)?;
    let mut client = store.client().await?;
    let statement = client.prepare_cached(CLAIM).await?;
    // One statement, so a transaction by itself.
    let rows = client
        .query(
            &statement,
            &[
                &columns.ids,
                &columns.tenants,
                &columns.sandboxes,
                &columns.scheduled,
                &columns.envelopes,
                &columns.subjects,
                &columns.tags,
                &columns.metadata,
                &columns.digests,
                &columns.created,
                &columns.contents,
                &columns.recipient_messages,
                &columns.recipient_keys,
                &columns.recipient_emails,
                &columns.recipient_positions,
                &lease.as_secs_f64(),
                &Status::Scheduled.rank(),
                &Status::Suppressed.rank(),
                &Status::Sending.rank(),
                &columns.accounts,
                &columns.codes,
                &columns.words,
                &Status::Queued.rank(),
            ],
        )
        .await?;
    let told_of = rows.iter().filter(|row| row.get("told_of"));
    let told_of: Vec<(Uuid, Uuid)> = told_of.map(|row| (row.get("id"), row.get("tenant_id"))).collect();
    if !told_of.is_empty() {
        link(&mut client, told_of).await;
    }
    let sending = rows.iter().filter(|row| row.get::<_, i16>("status") == Status::Sending.rank());
    Ok(sending
        .map(|row| {
            let left_out: Option<Vec<String>> = row.get("left_out");
            (
                MessageId(row.get("id")),
                Claimed { left_out: left_out.unwrap_or_default().into_iter().collect() },
            )
        })
        .collect())
}

/// Links events that were here before their messages. The claim stands whatever becomes of this: what is not linked now
/// is linked within seconds by the pass over late events.
async fn link(client: &mut Lent, messages: Vec<(Uuid, Uuid)>) {
    let (ids, tenants): (Vec<Uuid>, Vec<Uuid>) = messages.into_iter().unzip();
    let linking = async {
        let statement = client.prepare_cached(LINK).await?;
        let transaction = client.transaction().await?;
        let linked = transaction.query(&statement, &[&ids, &tenants]).await?;
        settle::apply(&transaction, &Move::of_linked(&linked)).await?;
        transaction.commit().await?;
        Ok::<_, Error>(())
    };
    if let Err(fault) = linking.await {
        tracing::debug!(%fault, "events that came first are linked later");
    }
}

/// The arrivals, turned from rows into columns.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    sandboxes: Vec<bool>,
    scheduled: Vec<Option<jiff::Timestamp>>,
    envelopes: Vec<String>,
    subjects: Vec<Option<&'a str>>,
    tags: Vec<String>,
    metadata: Vec<Option<String>>,
    digests: Vec<&'a str>,
    created: Vec<jiff::Timestamp>,
    contents: Vec<&'a [u8]>,
    accounts: Vec<Option<&'a [u8]>>,
    codes: Vec<Option<&'a str>>,
    words: Vec<Option<&'a str>>,
    recipient_messages: Vec<Uuid>,
    recipient_keys: Vec<String>,
    recipient_emails: Vec<&'a str>,
    recipient_positions: Vec<i16>,
}

impl<'a> Columns<'a> {
    fn of(arrivals: &'a [Arrival<'a>]) -> Result<Self, Error> {
        let mut columns = Self::default();
        let mut seen = HashSet::new();
        for arrival in arrivals {
            // The same message twice in one batch would meet itself, which `on conflict` does not forgive everywhere.
            if seen.insert(arrival.queued.id) {
                columns.add(arrival)?;
            }
        }
        Ok(columns)
    }

    fn add(&mut self, arrival: &'a Arrival<'a>) -> Result<(), Error> {
        let QueuedMessage { id, tenant, message, .. } = arrival.queued;
        self.ids.push(id.0);
        self.tenants.push(tenant.0);
        self.sandboxes.push(arrival.queued.sandbox);
        self.scheduled.push(message.scheduled_at);
        self.envelopes.push(json(&Envelope::of(message))?);
        self.subjects.push(message.subject.as_deref());
        self.tags.push(json(&message.tags)?);
        self.metadata.push(message.metadata.as_ref().map(json).transpose()?);
        self.digests.push(&arrival.queued.digest);
        self.created.push(arrival.queued.accepted_at);
        self.contents.push(arrival.content);
        let (account, reason) = match &arrival.plan {
            Plan::Send(account) => (Some(account.as_bytes()), None),
            Plan::Keep(reason) => (None, *reason),
        };
        self.accounts.push(account);
        self.codes.push(reason.map(|reason| reason.code.as_str()));
        self.words.push(reason.map(|reason| reason.message.as_str()));
        let mut keys = HashSet::new();
        let mut position = 0;
        for (_, mailbox) in message.recipients() {
            let key = mailbox.email.key();
            if keys.insert(key.clone()) {
                self.recipient_messages.push(id.0);
                self.recipient_keys.push(key);
                self.recipient_emails.push(mailbox.email.as_str());
                self.recipient_positions.push(position);
                position += 1;
            }
        }
        Ok(())
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unreadable { column: "messages" })
}

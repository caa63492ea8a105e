//! Recording how attempts ended.

use std::time::Duration;

use domain::{MessageId, Outcome, Status, TenantId};
use futures_util::future::try_join5;
use uuid::Uuid;

use super::settle::LOCK;
use crate::{Error, Store};

/// How an attempt ended, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The message.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The attempt that this is about. When another one has begun since, only an acceptance still counts.
    pub attempt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Where the message goes: `Sent`, `Failed`, `Queued` (again) or `Sending` (still to be found out).
    pub to: Status,
    /// How long until a worker acts again, if one is to. It is counted by the database's clock, as leases are: those
    /// of the workers may differ.
    pub wait: Option<Duration>,
    /// How often the provider had not heard of it.
    pub look_ups: u32,
}

/// Recipients whom the provider names: the acceptance moves them forward, from anywhere, and brings their ids.
const ACCEPTANCES: &str = "
update recipients r
set status = greatest(r.status, $6),
    provider_message_id = coalesce(a.number, r.provider_message_id),
    provider_message_uuid = coalesce(a.uuid, r.provider_message_uuid)
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[])
    as a(id, tenant_id, email_key, number, uuid)
where r.message_id = a.id and r.tenant_id is not distinct from a.tenant_id and r.email_key = a.email_key";

/// All others: an acceptance moves forward from anywhere; everything else only from `sending`, where this attempt put them,
/// and only while this is the attempt under way.
const RECIPIENTS: &str = "
update recipients r set status = t.to_status
from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::smallint[]) as t(id, tenant_id, attempt, to_status)
join messages m on m.id = t.id and m.tenant_id is not distinct from t.tenant_id
where r.message_id = t.id and r.tenant_id is not distinct from t.tenant_id
  and case when t.to_status = $5::smallint then r.status < t.to_status
           else m.status = $6::smallint and m.attempts = t.attempt and r.status = $6::smallint end";

const MESSAGES: &str = "
update messages m
set status = r.status,
    due_at = case when r.status in ($8::smallint, $9::smallint) then now() + make_interval(secs => t.wait) end,
    asks = r.status = $8::smallint,
    look_ups = t.look_ups, error_code = t.code, error_message = t.words, updated_at = now()
from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::smallint[], $5::float8[], $6::integer[], $10::text[],
            $11::text[]) as t(id, tenant_id, attempt, to_status, wait, look_ups, code, words),
     lateral (
         select coalesce(max(status) filter (where status <> $12::smallint), $12::smallint) as status
         from recipients where message_id = t.id and tenant_id is not distinct from t.tenant_id
     ) r
where m.id = t.id and m.tenant_id is not distinct from t.tenant_id
  and (t.to_status = $7::smallint or (m.status = $8::smallint and m.attempts = t.attempt))";

const ATTEMPTS: &str = "
update attempts a set finished_at = now(), outcome = t.outcome, code = t.code, message = t.words
from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[])
    as t(id, tenant_id, attempt, outcome, code, words)
where a.message_id = t.id and a.tenant_id = t.tenant_id and a.attempt = t.attempt
  and (a.outcome is null or a.outcome = 'uncertain')";

/// Records a batch in one transaction, in one round trip after the statements are prepared.
pub async fn record(store: &Store, transitions: &[Transition]) -> Result<(), Error> {
    if transitions.is_empty() {
        return Ok(());
    }
    let batch = Columns::of(transitions);
    let mut client = store.client().await?;
    let (lock, acceptances, recipients, messages, attempts) = try_join5(
        client.prepare_cached(LOCK),
        client.prepare_cached(ACCEPTANCES),
        client.prepare_cached(RECIPIENTS),
        client.prepare_cached(MESSAGES),
        client.prepare_cached(ATTEMPTS),
    )
    .await?;
    let transaction = client.transaction().await?;
    let (sent, sending) = (Status::Sent.rank(), Status::Sending.rank());
    let (queued, suppressed) = (Status::Queued.rank(), Status::Suppressed.rank());
    let Columns { ids, tenants, attempt, to, wait, look_ups, outcome, code, words, accepted } = &batch;
    try_join5(
        transaction.execute(&lock, &[ids, tenants]),
        transaction.execute(
            &acceptances,
            &[&accepted.ids, &accepted.tenants, &accepted.keys, &accepted.numbers, &accepted.uuids, &sent],
        ),
        transaction.execute(&recipients, &[ids, tenants, attempt, to, &sent, &sending]),
        transaction.execute(
            &messages,
            &[ids, tenants, attempt, to, wait, look_ups, &sent, &sending, &queued, code, words, &suppressed],
        ),
        transaction.execute(&attempts, &[ids, tenants, attempt, outcome, code, words]),
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// The transitions, turned from rows into columns.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    attempt: Vec<i32>,
    to: Vec<i16>,
    wait: Vec<Option<f64>>,
    look_ups: Vec<i32>,
    outcome: Vec<&'static str>,
    code: Vec<Option<&'a str>>,
    words: Vec<Option<&'a str>>,
    accepted: Accepted<'a>,
}

#[derive(Default)]
struct Accepted<'a> {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    keys: Vec<&'a str>,
    numbers: Vec<Option<i64>>,
    uuids: Vec<Option<Uuid>>,
}

impl<'a> Columns<'a> {
    fn of(transitions: &'a [Transition]) -> Self {
        let mut columns = Self::default();
        for next in transitions {
            let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
            columns.ids.push(next.id.0);
            columns.tenants.push(next.tenant.0);
            columns.attempt.push(count(next.attempt));
            columns.to.push(next.to.rank());
            columns.wait.push(next.wait.map(|wait| wait.as_secs_f64()));
            columns.look_ups.push(count(next.look_ups));
            columns.outcome.push(next.outcome.name());
            columns.code.push(next.outcome.reason().map(|reason| reason.code.as_str()));
            columns.words.push(next.outcome.reason().map(|reason| reason.message.as_str()));
            if let Outcome::Accepted(recipients) = &next.outcome {
                for recipient in recipients {
                    columns.accepted.ids.push(next.id.0);
                    columns.accepted.tenants.push(next.tenant.0);
                    columns.accepted.keys.push(&recipient.email_key);
                    columns.accepted.numbers.push(recipient.message_id);
                    columns.accepted.uuids.push(recipient.message_uuid);
                }
            }
        }
        columns
    }
}

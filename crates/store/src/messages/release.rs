//! Giving back claims under which no call began.

use domain::{MessageId, Reason, Status, TenantId};
use futures_util::future::try_join4;
use uuid::Uuid;

use super::settle::LOCK;
use crate::{Error, Store};

/// A claim under which nothing was handed over, and nothing is going to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbegun {
    /// The message.
    pub id: MessageId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The number of the claim.
    pub attempt: u32,
    /// Why, if there is anything to say.
    pub reason: Option<Reason>,
}

const RECIPIENTS: &str = "
update recipients r set status = $4
from unnest($1::uuid[], $2::uuid[], $3::integer[]) as t(id, tenant_id, attempt)
join messages m on m.id = t.id and m.tenant_id is not distinct from t.tenant_id
where r.message_id = t.id and r.tenant_id is not distinct from t.tenant_id and r.status = $5
  and m.status = $5 and m.attempts = t.attempt";

/// Whatever was found out about it meanwhile by those who thought it lost.
const ATTEMPTS: &str = "
delete from attempts a
using unnest($1::uuid[], $2::uuid[], $3::integer[]) as t(id, tenant_id, attempt)
join messages m on m.id = t.id and m.tenant_id is not distinct from t.tenant_id
where a.message_id = t.id and a.tenant_id = t.tenant_id and a.attempt = t.attempt
  and m.status = $4 and m.attempts = t.attempt";

const MESSAGES: &str = "
update messages m
set status = $4, given_back = m.given_back + 1, asks = false, due_at = now(),
    error_code = coalesce(t.code, m.error_code), error_message = coalesce(t.words, m.error_message),
    updated_at = now()
from unnest($1::uuid[], $2::uuid[], $3::integer[], $6::text[], $7::text[])
    as t(id, tenant_id, attempt, code, words)
where m.id = t.id and m.tenant_id is not distinct from t.tenant_id and m.status = $5 and m.attempts = t.attempt";

/// Makes them `queued` again and due at once. A claim that is not the present one is left alone; each has a number that no
/// other gets, so to say this twice, when nobody knows whether the first time was heard, harms no later claim.
pub async fn release(store: &Store, claims: &[Unbegun]) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = claims.iter().map(|claim| claim.id.0).collect();
    let tenants: Vec<Uuid> = claims.iter().map(|claim| claim.tenant.0).collect();
    let attempts: Vec<i32> =
        claims.iter().map(|claim| i32::try_from(claim.attempt).unwrap_or(i32::MAX)).collect();
    let reasons = || claims.iter().map(|claim| claim.reason.as_ref());
    let codes: Vec<Option<&str>> =
        reasons().map(|reason| reason.map(|reason| reason.code.as_str())).collect();
    let words: Vec<Option<&str>> =
        reasons().map(|reason| reason.map(|reason| reason.message.as_str())).collect();
    let (queued, sending) = (Status::Queued.rank(), Status::Sending.rank());
    let mut client = store.client().await?;
    let (lock, recipients, deleted, messages) = try_join4(
        client.prepare_cached(LOCK),
        client.prepare_cached(RECIPIENTS),
        client.prepare_cached(ATTEMPTS),
        client.prepare_cached(MESSAGES),
    )
    .await?;
    let transaction = client.transaction().await?;
    // Polled together, these go out in this order in one round trip; the last undoes what the others go by.
    try_join4(
        transaction.execute(&lock, &[&ids, &tenants]),
        transaction.execute(&recipients, &[&ids, &tenants, &attempts, &queued, &sending]),
        transaction.execute(&deleted, &[&ids, &tenants, &attempts, &sending]),
        transaction.execute(&messages, &[&ids, &tenants, &attempts, &queued, &sending, &codes, &words]),
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}

//! Who looks at a domain, when, and what comes of it.

use std::time::Duration;

use domain::{Action, Actor, DomainId, DomainRecord, DomainStatus, Reason, RecordStatus, Rhythm, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use super::{COLUMNS, Domain, domain, name, note, status, to_json};
use crate::{Error, Store};

/// The right to look at a domain, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The domain as it was known.
    pub domain: Domain,
    /// When the look began, by the database's clock.
    began_at: Timestamp,
    /// What a worker's turn puts off.
    regular: Option<Regular>,
}

/// How a worker's turn leaves the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Regular {
    /// When the next look is due as long as this one goes on. It may be later than its period, and is brought forward when
    /// the look has ended; unless it is another by then, because somebody wants a look at once.
    held_until: Timestamp,
    /// The period.
    period: Duration,
    /// The period that begins if something is missing that was there.
    lapsed: Duration,
}

impl Turn {
    /// Until when the next look is held, if it is, and how long after this one began it is due.
    fn next(&self, lapsed: bool) -> (Option<Timestamp>, f64) {
        let period = self.regular.map(|regular| if lapsed { regular.lapsed } else { regular.period });
        (self.regular.map(|regular| regular.held_until), period.unwrap_or_default().as_secs_f64())
    }
}

/// Whether somebody may look at a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Now(Box<Turn>),
    /// Not so soon after another look, which began then.
    Later(Box<Domain>, Timestamp),
    /// The tenant has no such domain.
    Missing,
}

/// Takes the domain that is due first, if one is, and puts off its next look by its period: of all workers that ask, one
/// gets it, and one that dies has skipped one turn. Domains of the tenants `busy` wait. `domains_due_idx` serves this query.
pub async fn take_due(
    store: &Store,
    rhythm: &Rhythm,
    busy: impl IntoIterator<Item = TenantId>,
) -> Result<Option<Turn>, Error> {
    let busy: Vec<Uuid> = busy.into_iter().map(|tenant| tenant.0).collect();
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let select = transaction
        .prepare_cached(&format!(
            "select {COLUMNS}, now() as began_at,
                    extract(epoch from now() - pending_since)::float8 as since
             from domains where due_at <= now() and tenant_id <> all($1)
             order by due_at limit 1 for update skip locked"
        ))
        .await?;
    let Some(row) = transaction.query_opt(&select, &[&busy]).await? else { return Ok(None) };
    let (id, tenant) = (DomainId(row.get("id")), TenantId(row.get("tenant_id")));
    // A clock that was put back makes it negative, which stands for no time at all.
    let since = Duration::try_from_secs_f64(row.get("since")).unwrap_or_default();
    let period = rhythm.period(status(&row)?, since);
    let update = transaction
        .prepare_cached(
            "update domains set look_began_at = now(), due_at = now() + make_interval(secs => $3)
             where tenant_id = $1 and id = $2
             returning due_at",
        )
        .await?;
    let held = rhythm.hold(period).as_secs_f64();
    let held_until = transaction.query_one(&update, &[&tenant.0, &id.0, &held]).await?.get("due_at");
    transaction.commit().await?;
    let regular = Some(Regular { held_until, period, lapsed: rhythm.soon });
    Ok(Some(Turn { domain: domain(&row)?, began_at: row.get("began_at"), regular }))
}

/// Takes a domain on somebody's demand, unless another look at it began within the last `pause`. Its next regular look
/// stays due when it is.
pub async fn take(store: &Store, tenant: TenantId, id: DomainId, pause: Duration) -> Result<Verdict, Error> {
    let client = store.client().await?;
    let taken = client
        .query_opt(
            &format!(
                "update domains set look_began_at = now()
             where tenant_id = $1 and id = $2
               and (look_began_at is null or look_began_at <= now() - make_interval(secs => $3))
             returning {COLUMNS}, look_began_at as began_at"
            ),
            &[&tenant.0, &id.0, &pause.as_secs_f64()],
        )
        .await?;
    if let Some(row) = taken {
        let turn = Turn { domain: domain(&row)?, began_at: row.get("began_at"), regular: None };
        return Ok(Verdict::Now(Box::new(turn)));
    }
    let known = client
        .query_opt(
            &format!(
                "select {COLUMNS}, coalesce(look_began_at, created_at) as began_at
             from domains where tenant_id = $1 and id = $2"
            ),
            &[&tenant.0, &id.0],
        )
        .await?;
    let Some(row) = known else { return Ok(Verdict::Missing) };
    Ok(Verdict::Later(Box::new(domain(&row)?), row.get("began_at")))
}

/// Writes what a look has found, unless a later look has been answered already; answers the domain as it is then, or
/// nothing if it was removed meanwhile.
pub async fn conclude(
    store: &Store,
    turn: &Turn,
    records: &[DomainRecord],
    by: Actor,
) -> Result<Option<Domain>, Error> {
    let (tenant, id) = (turn.domain.tenant, turn.domain.id);
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_opt(
            "select domain, status, coalesce(last_checked_at > $3, false) as late
             from domains where tenant_id = $1 and id = $2 for update",
            &[&tenant.0, &id.0, &turn.began_at],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.get("late") {
        drop(transaction);
        drop(client);
        return super::get(store, tenant, id).await;
    }
    let (before, now) = (status(&row)?, DomainStatus::of(records));
    let changed = before != now;
    let lapsed = changed && now == DomainStatus::Pending;
    let (held_until, period) = turn.next(lapsed);
    let written = transaction
        .query_one(
            &format!("update domains
             set status = $3, records = $4, last_checked_at = $5, error_code = null, error_message = null,
                 verified_at = case when $3 = 'pending' then null when $6 then now() else verified_at end,
                 pending_since = case when $7 then now() else pending_since end,
                 due_at = case when $7 and $8::timestamptz is null then now()
                               when due_at = $8 then $5::timestamptz + make_interval(secs => $9) else due_at end
             where tenant_id = $1 and id = $2
             returning {COLUMNS}"),
            &[
                &tenant.0,
                &id.0,
                &now.as_str(),
                &to_json(records)?,
                &turn.began_at,
                &changed,
                &lapsed,
                &held_until,
                &period,
            ],
        )
        .await?;
    if changed {
        let missing = missing(records);
        let (action, detail) = match now {
            DomainStatus::Verified => (Action::DomainVerified, None),
            DomainStatus::Pending => (Action::DomainLapsed, Some(missing.as_str())),
        };
        note(&transaction, tenant, &name(&row)?, (by, action), detail).await?;
    }
    transaction.commit().await?;
    domain(&written).map(Some)
}

/// The purposes of the records that do not hold.
fn missing(records: &[DomainRecord]) -> String {
    let missing = records.iter().filter(|record| record.status != RecordStatus::Ok);
    missing.map(|record| record.purpose.as_str()).collect::<Vec<_>>().join(", ")
}

/// Writes why a look was not answered; answers whether that is news.
pub async fn fail(store: &Store, turn: &Turn, reason: &Reason) -> Result<bool, Error> {
    let client = store.client().await?;
    let (held_until, period) = turn.next(false);
    let row = client
        .query_opt(
            "with known as (
                 select id, error_code from domains
                 where tenant_id = $1 and id = $2 and (last_checked_at is null or last_checked_at <= $5)
                 for update)
             update domains d
             set error_code = $3, error_message = $4,
                 due_at = case when due_at = $6 then $5::timestamptz + make_interval(secs => $7) else due_at end
             from known where d.tenant_id = $1 and d.id = known.id
             returning known.error_code as before",
            &[
                &turn.domain.tenant.0,
                &turn.domain.id.0,
                &reason.code,
                &reason.message,
                &turn.began_at,
                &held_until,
                &period,
            ],
        )
        .await?;
    Ok(row.is_some_and(|row| row.get::<_, Option<String>>("before").as_ref() != Some(&reason.code)))
}

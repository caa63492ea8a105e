//! Table `suppressions`: addresses that get no more mail from a tenant.

mod import;

use domain::{Action, Actor, EmailAddress, EventId, SuppressionReason, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::{Error, Store};

pub use import::{Import, Imported};

/// One address on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The address as it was first seen.
    pub email: String,
    /// The address as it is compared; lists are in this order.
    pub email_key: String,
    /// The strongest reason so far.
    pub reason: SuppressionReason,
    /// Since when it is listed.
    pub created_at: Timestamp,
    /// The event that gave the reason; none when it was put there by hand.
    pub event_id: Option<Uuid>,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this address, as it is compared.
    pub email_key: Option<String>,
    /// Only this reason.
    pub reason: Option<SuppressionReason>,
    /// Only addresses after this one.
    pub after: Option<String>,
}

/// Up to `limit` rows in the order of the addresses. The primary key serves this query, and `suppressions_reason_idx` that
/// for one reason.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Suppression>, Error> {
    let client = store.client().await?;
    // What is not asked for does not stand in the statement, so that each has the plan of its index. The reasons are few, and
    // some of them rare: the planner is to know which one it is.
    let equal = if filter.email_key.is_some() { "email_key = $2" } else { "$2::text is null" };
    let with = filter.reason.map(|reason| format!("and reason = '{}'", reason.as_str())).unwrap_or_default();
    let after = if filter.after.is_some() { "email_key > $3" } else { "$3::text is null" };
    let query = format!(
        "select email, email_key, reason, created_at, event_id from suppressions
         where tenant_id = $1 and {equal} {with} and {after} order by email_key limit $4"
    );
    let statement = client.prepare_cached(&query).await?;
    let rows = client.query(&statement, &[&tenant.0, &filter.email_key, &filter.after, &limit]).await?;
    rows.iter()
        .map(|row| {
            let unreadable = |_| Error::Unreadable { column: "suppressions.reason" };
            Ok(Suppression {
                email: row.get("email"),
                email_key: row.get("email_key"),
                reason: row.get::<_, &str>("reason").parse().map_err(unreadable)?,
                created_at: row.get("created_at"),
                event_id: row.get("event_id"),
            })
        })
        .collect()
}

/// Puts an address on the list by hand. One that is there already keeps its date, and the stronger of both reasons.
pub async fn add(
    store: &Store,
    tenant: TenantId,
    email: &EmailAddress,
    reason: SuppressionReason,
    by: Actor,
) -> Result<(), Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into suppressions as s (tenant_id, email_key, email, reason) values ($1, $2, $3, $4)
             on conflict on constraint suppressions_pkey do update
             set reason = excluded.reason, event_id = null
             where suppression_strength(excluded.reason) > suppression_strength(s.reason)",
            &[&tenant.0, &email.key(), &email.as_str(), &reason.as_str()],
        )
        .await?;
    let (subject, detail) = (email.as_str(), Some(reason.as_str()));
    let entry = Entry { tenant, actor: by, action: Action::SuppressionAdded, subject, detail };
    audit::record(&transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes an address off the list; answers whether it was there.
pub async fn delete(store: &Store, tenant: TenantId, email_key: &str, by: Actor) -> Result<bool, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let deleted = transaction
        .execute("delete from suppressions where tenant_id = $1 and email_key = $2", &[&tenant.0, &email_key])
        .await?;
    if deleted == 1 {
        let action = Action::SuppressionRemoved;
        let entry = Entry { tenant, actor: by, action, subject: email_key, detail: None };
        audit::record(&transaction, entry).await?;
        transaction.commit().await?;
    }
    Ok(deleted == 1)
}

/// An event that puts an address on the list.
pub(crate) struct Cause<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) email: &'a str,
    pub(crate) email_key: &'a str,
    pub(crate) reason: SuppressionReason,
    pub(crate) event: EventId,
}

/// The first date stays; a stronger reason takes the place of a weaker one.
const SUPPRESS: &str = "
insert into suppressions as s (tenant_id, email_key, email, reason, event_id)
select distinct on (tenant_id, email_key) tenant_id, email_key, email, reason, event_id
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::smallint[])
    as t(tenant_id, email_key, email, reason, event_id, strength)
order by tenant_id, email_key, strength desc
on conflict on constraint suppressions_pkey do update
set reason = excluded.reason, event_id = excluded.event_id
where suppression_strength(excluded.reason) > suppression_strength(s.reason)";

/// Puts on the list what events say, in the order of the key, so that concurrent batches wait in one direction only.
pub(crate) async fn suppress(transaction: &Transaction<'_>, causes: &[Cause<'_>]) -> Result<(), Error> {
    if causes.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = causes.iter().map(|cause| cause.tenant.0).collect();
    let keys: Vec<&str> = causes.iter().map(|cause| cause.email_key).collect();
    let emails: Vec<&str> = causes.iter().map(|cause| cause.email).collect();
    let reasons: Vec<&str> = causes.iter().map(|cause| cause.reason.as_str()).collect();
    let events: Vec<Uuid> = causes.iter().map(|cause| cause.event.0).collect();
    let strengths: Vec<i16> = causes.iter().map(|cause| cause.reason as i16).collect();
    let statement = transaction.prepare_cached(SUPPRESS).await?;
    transaction.execute(&statement, &[&tenants, &keys, &emails, &reasons, &events, &strengths]).await?;
    Ok(())
}

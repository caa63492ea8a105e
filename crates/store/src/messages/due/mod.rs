//! Messages whose time has come: schedules, retries, those kept for want of room, and attempts of which nobody knows the
//! outcome. One mechanism: a row with a due time, taken by one worker under a lease.
//!
//! They are taken tenant by tenant. Whoever takes says how much it has room for of each, so the hundred thousand of one
//! that wait for an account in trouble stand before nobody else's.

mod give_up;
mod questions;
mod sends;

use std::time::Duration;

use domain::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Store};

pub use give_up::give_up;
pub use questions::{Question, take_questions};
pub use sends::{DueSend, Wanted, take_sends};

/// Which of what is due. The two have an index each, and wait for different things: a Mailjet that does not answer
/// questions must not hold up what is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages to send.
    Sends,
    /// Messages to ask for.
    Questions,
}

impl Kind {
    /// The condition of the index, to the letter.
    const fn condition(self) -> &'static str {
        match self {
            Self::Sends => "due_at is not null and not asks",
            Self::Questions => "due_at is not null and asks",
        }
    }
}

/// A tenant with messages that are due now or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whose they are.
    pub tenant: TenantId,
    /// How long until the first of them is due; zero when it is.
    pub wait: Duration,
    /// Since when that one was to be sent.
    pub since: Timestamp,
}

/// Steps from one tenant to the next through the index, and looks at the first message of each.
const WAITING: &str = "
with recursive tenants as (
    (select tenant_id from messages where CONDITION order by tenant_id limit 1)
    union all
    select (select tenant_id from messages where CONDITION and tenant_id > t.tenant_id order by tenant_id limit 1)
    from tenants t where t.tenant_id is not null
)
select t.tenant_id, m.since, greatest(extract(epoch from m.due_at - now()), 0)::float8 as wait
from tenants t cross join lateral (
    select due_at, coalesce(retried_at, scheduled_at, created_at) as since from messages
    where tenant_id = t.tenant_id and CONDITION order by due_at limit 1
) m
where t.tenant_id is not null
order by m.due_at limit $1";

/// Up to `limit` tenants for whom anything waits, those whose first message is due soonest at the front. The indexes
/// `messages_to_send_by_tenant_idx` and `messages_to_ask_by_tenant_idx` serve this; the cost grows with the number of
/// tenants for whom something waits, not with what waits.
pub async fn waiting(store: &Store, kind: Kind, limit: i64) -> Result<Vec<Waiting>, Error> {
    let client = store.client().await?;
    let statement = client.prepare_cached(&WAITING.replace("CONDITION", kind.condition())).await?;
    let rows = client.query(&statement, &[&limit]).await?;
    let waiting = rows.iter().map(|row| Waiting {
        tenant: TenantId(row.get::<_, Uuid>("tenant_id")),
        wait: Duration::try_from_secs_f64(row.get("wait")).unwrap_or_default(),
        since: row.get("since"),
    });
    Ok(waiting.collect())
}

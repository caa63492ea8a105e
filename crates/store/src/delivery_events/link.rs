//! Linking events whose message appeared after them.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::find::FOUND;
use crate::messages::{Move, apply};
use crate::{Error, Store};

/// Events that are looked through in one transaction.
const PAGE: i64 = 2000;

/// Which events to look through, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Those that arrived within this time.
    pub age: Duration,
    /// At most this many.
    pub most: usize,
}

/// An event and the claim of its message, or the recording of the provider's ids, that are committed at the same moment
/// do not see each other; and an event without our id can come before the provider's are known. So what is not linked
/// is looked through again later. The index `delivery_events_linkable_idx` holds those, and its condition stands here to the
/// letter. Events that nobody here sent are among them for good.
static PAGE_OF_UNLINKED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with i as materialized (
    select tenant_id, fingerprint, occurred_at, received_at, custom_id, provider, provider_message_id,
           provider_message_uuid
    from delivery_events
    where message_id is null
      and (custom_id is not null or provider_message_id is not null or provider_message_uuid is not null)
      and received_at > now() - make_interval(secs => $1)
      and (received_at, tenant_id, fingerprint) < ($2, $3, $4)
    order by received_at desc, tenant_id desc, fingerprint desc limit $5
), found as materialized (
    select i.tenant_id, i.fingerprint, i.occurred_at, {FOUND} as message_id from i
), linked as (
    update delivery_events e set message_id = f.message_id
    from found f
    where f.message_id is not null and e.message_id is null
      and e.tenant_id = f.tenant_id and e.fingerprint = f.fingerprint and e.occurred_at = f.occurred_at
    returning e.message_id, e.tenant_id, e.fingerprint, e.recipient_key, e.recipient_status, e.kind
)
select i.received_at, i.tenant_id, i.fingerprint, l.message_id, l.recipient_key, l.recipient_status, l.kind
from i left join linked l on l.tenant_id = i.tenant_id and l.fingerprint = i.fingerprint
order by i.received_at desc, i.tenant_id desc, i.fingerprint desc"
    )
});

/// Where a page ended.
type Place = (Timestamp, Uuid, Vec<u8>);

/// Links what can be linked by now, and applies what those events do; answers how many they were.
pub async fn link(store: &Store, window: Window, further: impl Fn()) -> Result<usize, Error> {
    let (mut seen, mut linked) = (0, 0);
    // Before every event: later than all times, with the greatest key.
    let mut place: Place = (Timestamp::MAX, Uuid::max(), vec![0xff; 17]);
    while seen < window.most {
        let page = link_page(store, window.age, &place).await?;
        seen += page.rows;
        linked += page.linked;
        further();
        match page.end {
            Some(end) => place = end,
            None => break,
        }
    }
    Ok(linked)
}

struct Page {
    rows: usize,
    linked: usize,
    /// Where to go on, if there may be more.
    end: Option<Place>,
}

async fn link_page(store: &Store, age: Duration, before: &Place) -> Result<Page, Error> {
    let mut client = store.client().await?;
    let statement = client.prepare_cached(&PAGE_OF_UNLINKED).await?;
    let transaction = client.transaction().await?;
    let (at, tenant, fingerprint) = before;
    let rows = transaction.query(&statement, &[&age.as_secs_f64(), at, tenant, fingerprint, &PAGE]).await?;
    // The kind is null where nothing was linked.
    let linked: Vec<&Row> =
        rows.iter().filter(|row| row.get::<_, Option<Uuid>>("message_id").is_some()).collect();
    apply(&transaction, &Move::of_linked(linked.iter().copied())).await?;
    transaction.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    let end = rows.last().filter(|_| full);
    Ok(Page {
        rows: rows.len(),
        linked: linked.len(),
        end: end.map(|row| (row.get("received_at"), row.get("tenant_id"), row.get("fingerprint"))),
    })
}

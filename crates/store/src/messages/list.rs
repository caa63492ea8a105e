//! Listing messages, newest first.

use std::collections::HashMap;
use std::mem;

use domain::{Status, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::read::{COLUMNS, MessageView, RECIPIENT_COLUMNS, RecipientView, message_view, recipient};
use crate::{Error, Store};

/// Rows of the driving index that one page looks at. The messages behind them may lie anywhere on the disk.
const LOOK_AT: usize = 20_000;
/// Bytes of addresses and metadata after which a page ends: one message may have many of both.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Which messages to list; what is not given, does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these statuses: all that one name of the API stands for.
    pub statuses: Vec<Status>,
    /// Only messages with this recipient, as addresses are compared.
    pub email_key: Option<String>,
    /// Only messages with this tag.
    pub tag: Option<String>,
    /// Only messages that were accepted then, or later.
    pub since: Option<Timestamp>,
    /// Only messages that were accepted before.
    pub until: Option<Timestamp>,
}

/// A place in the list. It belongs to a message, not necessarily to one that was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the message was accepted.
    pub at: Timestamp,
    /// The message's id.
    pub id: Uuid,
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The messages, newest first.
    pub messages: Vec<MessageView>,
    /// Where to go on; none at the end of the list.
    pub next: Option<Place>,
}

/// Up to `limit` messages after the place `after`.
///
/// One index leads through the messages in their order, and whatever else is asked for is looked at in each of them:
///
/// | asked for | driving index |
/// |---|---|
/// | a recipient | `recipients_address_idx` |
/// | else a tag | `message_tags_pkey` |
/// | else a status other than `sent` and `delivered` | `messages_listed_idx` |
/// | else | `messages_created_idx` |
///
/// What is asked for besides may be rare, or missing for a long stretch (so may `sent` and `delivered`, which have no index:
/// see `migrations/`). Therefore a page ends after 20,000 rows of its index at the latest: it is short then, even
/// empty, and its `next` tells where the search goes on.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    filter: &Filter,
    after: Option<Place>,
    limit: usize,
) -> Result<Listed, Error> {
    let asked = Asked::of(filter, after, limit);
    let (query, parameters) = asked.question(&tenant.0);
    let client = store.client().await?;
    let statement = client.prepare_cached(&query).await?;
    let rows = client.query(&statement, &parameters).await?;
    let matching: Vec<&Row> = rows.iter().filter(|row| row.get("matches")).collect();
    let ids: Vec<Uuid> = matching.iter().take(limit).map(|row| row.get("id")).collect();
    let recipients = format!(
        "select message_id, {RECIPIENT_COLUMNS} from recipients
         where message_id = any($1) and tenant_id is not distinct from $2 order by message_id, position"
    );
    let recipients = client.prepare_cached(&recipients).await?;
    let recipients = client.query(&recipients, &[&ids, &tenant.0]).await?;
    let mut recipients = by_message(&recipients)?;
    let messages = matching.iter().zip(&ids).map(|(row, id)| {
        let recipients = recipients.get_mut(id).map(mem::take).unwrap_or_default();
        message_view(row, recipients)
    });
    Ok(Listed { messages: messages.collect::<Result<_, _>>()?, next: next(&rows, matching.len(), limit) })
}

/// What is asked for, as the parameters of a statement.
struct Asked<'a> {
    filter: &'a Filter,
    before: Place,
    since: Timestamp,
    one_more: i64,
    ranks: Vec<i16>,
    listed: Option<i16>,
}

impl<'a> Asked<'a> {
    fn of(filter: &'a Filter, after: Option<Place>, limit: usize) -> Self {
        // Nothing is older; and Postgres does not know every year that can be written.
        let sane = |at: Timestamp| at.max(Timestamp::UNIX_EPOCH);
        let until = filter.until.map(|at| Place { at, id: Uuid::nil() });
        let before = after.into_iter().chain(until).min();
        let before = before.unwrap_or(Place { at: Timestamp::MAX, id: Uuid::max() });
        Self {
            filter,
            before: Place { at: sane(before.at), ..before },
            since: sane(filter.since.unwrap_or(Timestamp::UNIX_EPOCH)),
            one_more: i64::try_from(limit + 1).unwrap_or(i64::MAX),
            ranks: filter.statuses.iter().map(|status| status.rank()).collect(),
            listed: filter.statuses.first().copied().and_then(listed),
        }
    }

    /// The statement, and its parameters. What is not asked for does not stand in it, so that each has the plan of its
    /// index; and what is, only as a number, so that there are few statements.
    fn question(&'a self, tenant: &'a Uuid) -> (String, Vec<&'a (dyn ToSql + Sync)>) {
        let Self { filter, before, since, one_more, ranks, listed } = self;
        let mut parameters: Vec<&'a (dyn ToSql + Sync)> =
            vec![tenant, &before.at, &before.id, since, one_more, &crate::providers::MAILJET];
        let mut bind = |value: &'a (dyn ToSql + Sync)| {
            parameters.push(value);
            parameters.len()
        };
        let mut conditions = Vec::new();
        let tag = filter.tag.as_ref().map(|tag| bind(tag));
        if let Some(number) = tag {
            conditions.push(format!(" and ${number} = any(m.tags)"));
        }
        if !ranks.is_empty() {
            conditions.push(format!(" and m.status = any(${})", bind(ranks)));
        }
        let driving = match (&filter.email_key, tag, listed) {
            (Some(key), ..) => Driving::Recipient(bind(key)),
            (None, Some(number), _) => Driving::Tag(number),
            (None, None, Some(rank)) => Driving::Status(bind(rank)),
            (None, None, None) => Driving::All,
        };
        (query(&driving, &conditions.concat()), parameters)
    }
}

/// The number in the column `listed_status` that stands for all statuses of the same name; none where there is none.
fn listed(status: Status) -> Option<i16> {
    match status {
        Status::Sent | Status::Delivered => None,
        Status::HardBounced => Some(Status::SoftBounced.rank()),
        other => Some(other.rank()),
    }
}

/// The index that leads through the list, with the number of the parameter that it is asked for.
enum Driving {
    Recipient(usize),
    Tag(usize),
    Status(usize),
    All,
}

impl Driving {
    /// The table, its column of message ids, and what the first columns of the index equal besides the tenant.
    fn parts(&self) -> (&'static str, &'static str, String) {
        match self {
            Self::Recipient(number) => {
                ("recipients", "message_id", format!("and email_key collate \"C\" = ${number}"))
            }
            Self::Tag(number) => ("message_tags", "message_id", format!("and tag = ${number}")),
            Self::Status(number) => ("messages", "id", format!("and listed_status = ${number}")),
            Self::All => ("messages", "id", String::new()),
        }
    }
}

/// The statement for a driving index and further conditions on `m`.
///
/// From the inside: the index is read in its order; its rows are numbered, which ends neither the order nor the laziness
/// (the limit that is repeated there lets the planner prefer what begins at once, which a sort does not); each leads to
/// its message by the primary key, one by one (a lateral query with a limit cannot become another join).
/// Of these come out those that match and the last one that may be looked at, and no more are read than fill the page.
/// Then the page is measured, as that of events is.
fn query(driving: &Driving, conditions: &str) -> String {
    let (table, id, equal) = driving.parts();
    format!(
        "select page.*,
                (select from_email from providers where tenant_id = $1 and provider = $6) as from_email,
                (select from_name from providers where tenant_id = $1 and provider = $6) as from_name
         from (
             select *, count(*) over () as found, sum(size) over (order by at desc, place desc) - size as before
             from (
                 select looked.at, looked.place, looked.number = {LOOK_AT} as last, m.id is not null as matches, m.*,
                        coalesce(octet_length(m.envelope), 0) + coalesce(octet_length(m.metadata), 0) as size
                 from (
                     select at, place, row_number() over (order by at desc, place desc) as number
                     from (
                         select created_at as at, {id} as place from {table}
                         where tenant_id = $1 {equal} and (created_at, {id}) < ($2, $3) and created_at >= $4
                         order by created_at desc, {id} desc limit {LOOK_AT}
                     ) driving
                     limit {LOOK_AT}
                 ) looked
                 left join lateral (
                     select {COLUMNS} from messages m
                     where m.id = looked.place and m.tenant_id is not distinct from $1{conditions} limit 1
                 ) m on true
                 where m.id is not null or looked.number = {LOOK_AT}
                 order by looked.at desc, looked.place desc limit $5
             ) few
         ) page
         where before < {PAGE_BYTES} order by at desc, place desc"
    )
}

/// Where to go on, if there may be more.
fn next(rows: &[Row], matching: usize, limit: usize) -> Option<Place> {
    let place = |row: &Row| Place { at: row.get("at"), id: row.get("place") };
    let found = rows.first().map_or(0, |row| row.get::<_, i64>("found"));
    let cut = i64::try_from(rows.len()).is_ok_and(|count| count < found);
    if matching > limit || cut {
        return rows.iter().take(limit).last().map(place);
    }
    rows.last().filter(|row| row.get("last")).map(place)
}

/// The recipients of each message, in their order.
fn by_message(rows: &[Row]) -> Result<HashMap<Uuid, Vec<RecipientView>>, Error> {
    let mut recipients: HashMap<Uuid, Vec<RecipientView>> = HashMap::new();
    for row in rows {
        recipients.entry(row.get("message_id")).or_default().push(recipient(row)?);
    }
    Ok(recipients)
}

//! Taking a person out of messages.

use bytes::Bytes;
use domain::{Mailbox, QueuedMessage, Status, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Erased, NOBODY, events};
use crate::lent::Transaction;
use crate::messages::Envelope;
use crate::retention::Step;
use crate::{Error, Store};

/// Messages of one step.
const MOST: i64 = 50;
/// Stands for the words of an error, which may repeat an address.
const WORDS: &str = "Erased.";

/// Where a page of messages ended: when the last one was accepted, and its id.
pub(super) type Place = (Timestamp, Uuid);
/// Before all messages.
pub(super) const FIRST: Place = (Timestamp::UNIX_EPOCH, Uuid::nil());

/// What a step did.
pub(super) struct Done {
    pub(super) erased: Erased,
    pub(super) pending: Vec<Uuid>,
    pub(super) next: Option<Place>,
}

/// What is done with a message that went to the person, or was to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is being sent: nobody may touch it.
    Pending,
    /// It is settled, and told of to the end.
    Erase,
    /// Nobody else was to get it.
    Cancel,
    /// Others are still to get it.
    TakeOut,
}

impl Fate {
    fn of(status: Status, others: bool) -> Self {
        match status {
            Status::Sending => Self::Pending,
            Status::Scheduled | Status::Queued if others => Self::TakeOut,
            Status::Scheduled | Status::Queued => Self::Cancel,
            _ => Self::Erase,
        }
    }
}

/// The messages to the address, as `recipients_address_idx` has them. Those that were erased are there no more.
const PAGE: &str = "
select message_id, created_at from recipients
where tenant_id = $1 and email_key collate \"C\" = $2 and (created_at, message_id) > ($3, $4)
order by created_at, message_id limit $5";

/// Locks those messages, before anything else of them is looked at; whether others are still to get one is only asked
/// where it matters.
const LOCK: &str = "
select id, status, envelope from messages
where id = any($1) and tenant_id is not distinct from $2 order by id for update";
const PEOPLE: &str = "
select p.message_id, p.position,
       exists (select from recipients o
               where o.message_id = p.message_id and o.tenant_id is not distinct from $2
                 and o.email_key <> p.email_key and o.status <> $4) as others
from recipients p
where p.message_id = any($1) and p.tenant_id is not distinct from $2 and p.email_key = $3";

/// The recipient's row. Whoever was to get a message that others get is left out as the suppressed are.
const RECIPIENTS: &str = "
update recipients r
set email_key = t.name, email = t.name, status = case when t.taken_out then $5::smallint else r.status end
from unnest($3::uuid[], $4::text[], $6::boolean[]) as t(message_id, name, taken_out)
where r.message_id = t.message_id and r.tenant_id is not distinct from $1 and r.email_key = $2";

const MESSAGES: &str = "
update messages m set envelope = t.envelope, updated_at = now()
from unnest($2::uuid[], $3::text[]) as t(id, envelope)
where m.id = t.id and m.tenant_id is not distinct from $1";

/// Whoever took these just before they were locked has read the person, and looks at them once more before they are its:
/// by then they are not due.
const PUT_OFF: &str = "
update messages set due_at = greatest(due_at, now() + interval '1 second')
where id = any($1) and tenant_id is not distinct from $2 and due_at is not null";

/// Nobody has begun to send these.
const CANCEL: [&str; 2] = [
    "update messages set status = $3, due_at = null, asks = false
     where id = any($1) and tenant_id is not distinct from $2",
    "update recipients set status = $3
     where message_id = any($1) and tenant_id is not distinct from $2 and status in ($4, $5)",
];

/// What tells of the person besides the address.
const CONTENT: [&str; 4] = [
    "update messages set subject = null, metadata = null,
         error_message = case when error_message is not null then $3 end
     where id = any($1) and tenant_id is not distinct from $2",
    "update attempts set message = $3
     where message_id = any($1) and tenant_id is not distinct from $2 and message is not null and message <> $3",
    "delete from message_contents where message_id = any($1) and tenant_id is not distinct from $2 and $3 <> ''",
    "delete from message_erasures where message_id = any($1) and tenant_id is not distinct from $2 and $3 <> ''",
];

/// A message in the hands of a step.
struct Held {
    id: Uuid,
    fate: Fate,
    /// What stands for the address in it: no two recipients of one message may have the same.
    name: String,
    envelope: String,
}

/// Takes the person out of a page of messages.
pub(super) async fn step(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    (at, id): Place,
) -> Result<Done, Error> {
    let statement = transaction.prepare_cached(PAGE).await?;
    let page = transaction.query(&statement, &[&tenant.0, &key, &at, &id, &MOST]).await?;
    let ids: Vec<Uuid> = page.iter().map(|row| row.get("message_id")).collect();
    let full = i64::try_from(page.len()).is_ok_and(|count| count >= MOST);
    let next =
        page.last().filter(|_| full).map(|row| (row.get("created_at"), row.get::<_, Uuid>("message_id")));
    let held = hold(transaction, tenant, key, &ids).await?;
    let (pending, held): (Vec<Held>, Vec<Held>) = held.into_iter().partition(|one| one.fate == Fate::Pending);
    let mut erased = Erased { pending: count(pending.len()), ..Erased::default() };
    if !held.is_empty() {
        erased.events = write(transaction, tenant, key, &held).await?;
        erased.messages = count(held.len());
        erased.canceled = count(of(&held, |fate| fate == Fate::Cancel).len());
        erased.later = count(of(&held, |fate| fate == Fate::TakeOut).len());
    }
    Ok(Done { erased, pending: pending.into_iter().map(|one| one.id).collect(), next })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn of(held: &[Held], with: impl Fn(Fate) -> bool) -> Vec<Uuid> {
    held.iter().filter(|one| with(one.fate)).map(|one| one.id).collect()
}

/// Locks the messages, and says what is to become of each.
async fn hold(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    ids: &[Uuid],
) -> Result<Vec<Held>, Error> {
    let lock = transaction.prepare_cached(LOCK).await?;
    let messages = transaction.query(&lock, &[&ids, &tenant.0]).await?;
    let people = transaction.prepare_cached(PEOPLE).await?;
    let people = transaction.query(&people, &[&ids, &tenant.0, &key, &Status::Suppressed.rank()]).await?;
    let mut held = Vec::new();
    for row in &messages {
        let id: Uuid = row.get("id");
        // Another erasure may have been here since.
        let Some(person) = people.iter().find(|person| person.get::<_, Uuid>("message_id") == id) else {
            continue;
        };
        held.push(judge(row, person, key)?);
    }
    Ok(held)
}

fn judge(message: &Row, person: &Row, key: &str) -> Result<Held, Error> {
    let unreadable = |column| Error::Unreadable { column };
    let status = Status::from_rank(message.get("status")).ok_or(unreadable("messages.status"))?;
    let fate = Fate::of(status, person.get("others"));
    let name = format!("erased-{}@erased.invalid", person.get::<_, i16>("position"));
    let mut envelope: Envelope =
        serde_json::from_str(message.get("envelope")).map_err(|_| unreadable("messages.envelope"))?;
    let nobody = |name: &str| Mailbox::new(name, None).map_err(|_| unreadable("messages.envelope"));
    let people = [&mut envelope.to, &mut envelope.cc, &mut envelope.bcc];
    for mailbox in people.into_iter().flatten().filter(|mailbox| mailbox.email.key() == key) {
        *mailbox = nobody(&name)?;
    }
    if let Some(from) = envelope.from.as_mut().filter(|from| from.email.key() == key) {
        *from = nobody(NOBODY)?;
    }
    let envelope = serde_json::to_string(&envelope).map_err(|_| unreadable("messages.envelope"))?;
    Ok(Held { id: message.get("id"), fate, name, envelope })
}

/// Writes all that follows; answers how many events that were.
async fn write(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    held: &[Held],
) -> Result<u64, Error> {
    let ids = of(held, |_| true);
    let names: Vec<String> = held.iter().map(|one| one.name.clone()).collect();
    let envelopes: Vec<&str> = held.iter().map(|one| one.envelope.as_str()).collect();
    let taken_out: Vec<bool> = held.iter().map(|one| one.fate == Fate::TakeOut).collect();
    let suppressed = Status::Suppressed.rank();
    transaction.execute(RECIPIENTS, &[&tenant.0, &key, &ids, &names, &suppressed, &taken_out]).await?;
    transaction.execute(MESSAGES, &[&tenant.0, &ids, &envelopes]).await?;
    cancel(transaction, tenant, &of(held, |fate| fate == Fate::Cancel)).await?;
    erase_content(transaction, tenant, &of(held, |fate| fate != Fate::TakeOut)).await?;
    let others = of(held, |fate| fate == Fate::TakeOut);
    transaction.execute(PUT_OFF, &[&others, &tenant.0]).await?;
    for id in others {
        take_out(transaction, tenant, key, id).await?;
    }
    events::of_messages(transaction, tenant, key, &ids, &names).await
}

async fn cancel(transaction: &Transaction<'_>, tenant: TenantId, ids: &[Uuid]) -> Result<(), Error> {
    let [canceled, scheduled, queued] =
        [Status::Canceled, Status::Scheduled, Status::Queued].map(Status::rank);
    let [messages, recipients] = CANCEL;
    transaction.execute(messages, &[&ids, &tenant.0, &canceled]).await?;
    transaction.execute(recipients, &[&ids, &tenant.0, &canceled, &scheduled, &queued]).await?;
    Ok(())
}

async fn erase_content(transaction: &Transaction<'_>, tenant: TenantId, ids: &[Uuid]) -> Result<(), Error> {
    if !ids.is_empty() {
        for statement in CONTENT {
            let statement = transaction.prepare_cached(statement).await?;
            transaction.execute(&statement, &[&ids, &tenant.0, &WORDS]).await?;
        }
    }
    Ok(())
}

/// Takes the person out of a message that others are still to get, and notes that its content is to go afterwards. One
/// that cannot be read could not be sent either.
async fn take_out(transaction: &Transaction<'_>, tenant: TenantId, key: &str, id: Uuid) -> Result<(), Error> {
    let read =
        "select content from message_contents where message_id = $1 and tenant_id is not distinct from $2";
    let row = transaction.query_opt(read, &[&id, &tenant.0]).await?;
    let content = row.map(|row| Bytes::from(row.get::<_, Vec<u8>>("content")));
    if let Some(mut queued) = content.and_then(|content| QueuedMessage::decode(&content).ok()) {
        queued.message = queued.message.without(|other| other == key);
        let content =
            queued.encode().map_err(|_| Error::Unreadable { column: "message_contents.content" })?;
        let write = "update message_contents set content = $3 where message_id = $1 and tenant_id is not distinct from $2";
        transaction.execute(write, &[&id, &tenant.0, &&content[..]]).await?;
    }
    let note = "insert into message_erasures (message_id, tenant_id) values ($1, $2) on conflict do nothing";
    transaction.execute(note, &[&id, &tenant.0]).await?;
    Ok(())
}

/// Erases what is left of messages out of which somebody was taken, and which are settled by now.
pub async fn finish_settled(store: &Store) -> Result<Step, Error> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let query = "
        select m.id, m.tenant_id from messages m
        where m.id = any(array(
            select e.message_id from message_erasures e
            join messages o on o.id = e.message_id and o.tenant_id is not distinct from e.tenant_id
            where o.status not in ($1, $2, $3) limit $4))
          and m.status not in ($1, $2, $3)
        order by m.id for update skip locked";
    let [scheduled, queued, sending] = [Status::Scheduled, Status::Queued, Status::Sending].map(Status::rank);
    let rows = transaction.query(query, &[&scheduled, &queued, &sending, &MOST]).await?;
    for row in &rows {
        erase_content(&transaction, TenantId(row.get("tenant_id")), &[row.get("id")]).await?;
    }
    transaction.commit().await?;
    Ok(Step { removed: count(rows.len()), more: i64::try_from(rows.len()).is_ok_and(|count| count >= MOST) })
}

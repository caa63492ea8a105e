//! Erasing a person: the address, and whatever may tell of its owner, goes from messages, events and the audit log. Ids,
//! times, statuses and fingerprints stay: so a webhook that is repeated adds nothing, and what is counted stays right.
//!
//! In the place of an address stands one that nobody has, and that is read like any other. It is the same for the
//! recipient's row and the events of one message, which are compared with each other.
//!
//! Each step is a transaction of its own, with the counts in the audit log. What a step has done is not found by the next,
//! so an erasure that was interrupted is finished by another one.

mod events;
mod kept;
mod messages;

use domain::address::key_of;
use domain::{Action, Actor, TenantId};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::lent::Transaction;
use crate::{Error, Store};

pub use kept::{Kept, kept};
pub use messages::finish_settled;

/// What stands for an address that was erased, where no recipient of a message is meant.
const NOBODY: &str = "erased@erased.invalid";
/// Tries for a step that meets others' transactions.
const TRIES: u32 = 5;
/// Entries of the audit log that are looked at in one step.
const ENTRIES: i64 = 1_000;

/// What an erasure came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Messages out of which the address was taken.
    pub messages: u64,
    /// Of these, how many were still to be sent to nobody else, and are canceled.
    pub canceled: u64,
    /// Of these, how many are still to be sent to others: their content goes once they are settled.
    pub later: u64,
    /// Messages that are being sent just now, and were left as they are: the erasure is to be repeated.
    pub pending: u64,
    /// Events.
    pub events: u64,
    /// Entries of the audit log that named the address.
    pub audit_entries: u64,
    /// Whether the address was on the suppression list.
    pub suppressed: bool,
    /// Whether it was taken off.
    pub unsuppressed: bool,
}

impl Erased {
    fn words(&self) -> String {
        let Self { messages, canceled, later, pending, events, audit_entries, unsuppressed, .. } = self;
        format!(
            "messages {messages}, canceled {canceled}, later {later}, pending {pending}, events {events}, \
             audit entries {audit_entries}, suppressions {}",
            u8::from(*unsuppressed)
        )
    }
}

/// Whom to erase, and for whom.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose person.
    pub tenant: TenantId,
    /// The address, as it is compared.
    pub email_key: String,
    /// Whether the address stays on the suppression list, if it is there, so that nobody writes to it again.
    pub keep_suppression: bool,
    /// Who asks.
    pub actor: Actor,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Messages(messages::Place),
    Events(i64),
    Suppression,
    /// Last: it may be long, and is begun anew by each request.
    Audit(i64),
    Nothing,
}

/// An erasure under way.
pub struct Erasure {
    store: Store,
    request: Request,
    id: Uuid,
    next: Next,
    /// Messages that are being sent just now: their events stay as they are, too.
    pending: Vec<Uuid>,
    /// The entry in the audit log, once there is one.
    entry: Option<i64>,
    so_far: Erased,
}

impl Erasure {
    /// Begins one.
    pub fn new(store: &Store, request: Request) -> Self {
        Self {
            store: store.clone(),
            request,
            id: Uuid::now_v7(),
            next: Next::Messages(messages::FIRST),
            pending: Vec::new(),
            entry: None,
            so_far: Erased::default(),
        }
    }

    /// The id under which the audit log knows it.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.next == Next::Nothing
    }

    /// What it came to so far.
    pub fn erased(&self) -> Erased {
        self.so_far
    }

    /// Does the next step.
    pub async fn step(&mut self) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            match self.step_once().await {
                Err(Error::Contention(_)) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn step_once(&mut self) -> Result<(), Error> {
        let mut client = self.store.client().await?;
        let transaction = client.transaction().await?;
        let (tenant, key) = (self.request.tenant, self.request.email_key.as_str());
        let mut so_far = self.so_far;
        let mut pending = Vec::new();
        let next = match self.next {
            Next::Messages(after) => {
                let done = messages::step(&transaction, tenant, key, after).await?;
                so_far.messages += done.erased.messages;
                so_far.canceled += done.erased.canceled;
                so_far.later += done.erased.later;
                so_far.pending += done.erased.pending;
                so_far.events += done.erased.events;
                pending = done.pending;
                done.next.map_or(Next::Events(0), Next::Messages)
            }
            Next::Events(after) => {
                let (erased, next) = events::step(&transaction, tenant, key, &self.pending, after).await?;
                so_far.events += erased;
                next.map_or(Next::Suppression, Next::Events)
            }
            Next::Audit(after) => {
                let (erased, next) = audit_entries(&transaction, tenant, key, after).await?;
                so_far.audit_entries += erased;
                next.map_or(Next::Nothing, Next::Audit)
            }
            Next::Suppression => {
                (so_far.suppressed, so_far.unsuppressed) = self.suppression(&transaction).await?;
                Next::Audit(0)
            }
            Next::Nothing => return Ok(()),
        };
        let (subject, words) = (self.id.to_string(), so_far.words());
        let entry = Entry {
            tenant,
            actor: self.request.actor,
            action: Action::PersonErased,
            subject: &subject,
            detail: Some(&words),
        };
        let entry = audit::record_progress(&transaction, entry, self.entry).await?;
        transaction.commit().await?;
        self.pending.extend(pending);
        (self.next, self.entry, self.so_far) = (next, Some(entry), so_far);
        Ok(())
    }

    /// Whether the address is on the suppression list, and whether it was taken off.
    async fn suppression(&self, transaction: &Transaction<'_>) -> Result<(bool, bool), Error> {
        let statement = if self.request.keep_suppression {
            "select from suppressions where tenant_id = $1 and email_key = $2"
        } else {
            "delete from suppressions where tenant_id = $1 and email_key = $2"
        };
        let rows = transaction.execute(statement, &[&self.request.tenant.0, &self.request.email_key]).await?;
        Ok((rows > 0, rows > 0 && !self.request.keep_suppression))
    }
}

/// Takes the address out of a page of those entries of the audit log whose subject is an address; answers how many entries named it, and where to go on. Addresses
/// stand there as they were written, so each is compared in the form in which addresses are. `audit_log_tenant_idx` serves
/// this.
async fn audit_entries(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key: &str,
    after: i64,
) -> Result<(u64, Option<i64>), Error> {
    let query = "select id, subject from audit_log
         where tenant_id = $1 and id > $2 and action = any($4) order by id limit $3";
    let actions = [Action::SuppressionAdded, Action::SuppressionRemoved].map(Action::as_str);
    let page = transaction.query(query, &[&tenant.0, &after, &ENTRIES, &&actions[..]]).await?;
    let naming = page.iter().filter(|row| key_of(row.get("subject")) == key);
    let ids: Vec<i64> = naming.map(|row| row.get("id")).collect();
    let update = "update audit_log set subject = $3 where tenant_id = $1 and id = any($2)";
    let erased = transaction.execute(update, &[&tenant.0, &ids, &NOBODY]).await?;
    let full = i64::try_from(page.len()).is_ok_and(|count| count >= ENTRIES);
    Ok((erased, page.last().filter(|_| full).map(|row| row.get("id"))))
}

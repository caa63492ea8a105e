//! What is in hand: claimed, or about to be, and not yet recorded. By account, since each has its own pace.
//!
//! Guarantee: a message is claimed only when there is room for it, so that what a worker holds is bounded, whatever
//! waits; and no account takes the room of another. An account that has nothing in hand always gets some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::pace::{Pace, PaceLimits};
use domain::{Reason, TenantId, limits};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::Job;
use super::accounts::Account;
use super::news::{News, Told};

/// Calls of one account. Mailjet takes 500 in 10 s from one, and answers in a few hundred milliseconds.
const PACE: PaceLimits = PaceLimits {
    first: 4,
    most: 16,
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(10),
};
/// Recipients of one account in hand beyond those that its calls can hold: what is being claimed and recorded meanwhile.
const AHEAD: usize = 4 * limits::RECIPIENTS;
/// Bytes in hand of all accounts, and of one.
const BYTES: usize = 96 << 20;
const BYTES_OF_ONE: usize = 24 << 20;
/// Bytes up to which the first message of an account finds room in any case.
const SMALL: usize = 64 << 10;
/// Messages in hand of all accounts; those that have nothing in hand are not counted out.
const MESSAGES: usize = 8_000;
/// Accounts that are remembered with nothing in hand.
const REMEMBERED: usize = 10_000;

pub(crate) struct Desk {
    inner: Mutex<Inner>,
    /// Tells whoever waits that there may be room again.
    freed: Notify,
}

#[derive(Default)]
struct Inner {
    accounts: HashMap<TenantId, Entry>,
    bytes: usize,
    messages: usize,
}

struct Entry {
    pace: Pace,
    /// When the account was last changed: what its calls met before says nothing of those after.
    changed_at: Option<Timestamp>,
    /// What the account's last trouble was.
    trouble: Option<Reason>,
    told: Told,
    /// In hand.
    messages: usize,
    recipients: usize,
    bytes: usize,
    /// Of these, the messages that are on their way here.
    coming: usize,
    /// Where the line takes its jobs, while there is one.
    line: Option<UnboundedSender<Vec<Job>>>,
}

impl Entry {
    fn new() -> Self {
        Self {
            pace: Pace::new(PACE),
            changed_at: None,
            trouble: None,
            told: Told::default(),
            messages: 0,
            recipients: 0,
            bytes: 0,
            coming: 0,
            line: None,
        }
    }

    /// Begins anew with an account that was changed.
    fn renew(&mut self, account: &Account) {
        if self.changed_at.replace(account.changed_at) != Some(account.changed_at) {
            (self.pace, self.trouble) = (Pace::new(PACE), None);
        }
    }

    /// Recipients for whom there is room: as many as the calls of the account hold, and some ahead. After trouble, for
    /// the one call that tries.
    fn room(&self, now: Instant) -> usize {
        let slots = self.pace.slots(now.into_std());
        let ahead = if self.pace.is_troubled() { 0 } else { AHEAD };
        if slots == 0 { 0 } else { (slots * limits::RECIPIENTS + ahead).saturating_sub(self.recipients) }
    }
}

/// A place in hand, given back when it is dropped.
pub(crate) struct Place {
    desk: Arc<Desk>,
    tenant: TenantId,
    recipients: usize,
    bytes: usize,
    coming: bool,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for room for a message from the queue; without, the error is the account's trouble, if it is in any.
    pub(crate) fn ask(
        self: &Arc<Self>,
        (tenant, account): (TenantId, &Account),
        recipients: usize,
        bytes: usize,
    ) -> Result<Place, Option<Reason>> {
        let now = Instant::now();
        let mut inner = self.lock();
        let (all_bytes, all_messages) = (inner.bytes, inner.messages);
        let entry = inner.entry(tenant);
        entry.renew(account);
        let first = entry.messages == 0;
        let crowded = entry.room(now) < recipients
            || entry.bytes + bytes > BYTES_OF_ONE
            || all_messages >= MESSAGES
            || all_bytes + bytes > BYTES;
        let fits = bytes <= SMALL || all_bytes + bytes <= BYTES;
        if entry.room(now) == 0 || crowded && !(first && fits) {
            return Err(entry.trouble.clone());
        }
        Ok(self.place(&mut inner, tenant, recipients, bytes))
    }

    /// How many due messages of a tenant there is room for now, taking each for one recipient.
    pub(crate) fn room(&self, tenant: TenantId, account: &Account) -> usize {
        let now = Instant::now();
        let mut inner = self.lock();
        let all = MESSAGES.saturating_sub(inner.messages);
        let entry = inner.entry(tenant);
        entry.renew(account);
        let least = usize::from(entry.messages == 0);
        let room = entry.room(now);
        if room == 0 || entry.bytes >= BYTES_OF_ONE { 0 } else { room.min(all).max(least) }
    }

    /// Bytes for which there is room in all.
    pub(crate) fn bytes(&self) -> usize {
        BYTES.saturating_sub(self.lock().bytes)
    }

    /// A place for a message that is claimed already.
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId, recipients: usize, bytes: usize) -> Place {
        self.place(&mut self.lock(), tenant, recipients, bytes)
    }

    fn place(
        self: &Arc<Self>,
        inner: &mut Inner,
        tenant: TenantId,
        recipients: usize,
        bytes: usize,
    ) -> Place {
        let entry = inner.entry(tenant);
        entry.messages += 1;
        entry.recipients += recipients;
        entry.bytes += bytes;
        entry.coming += 1;
        inner.bytes += bytes;
        inner.messages += 1;
        Place { desk: Arc::clone(self), tenant, recipients, bytes, coming: true }
    }

    /// Waits until there may be room again, or for a moment.
    pub(crate) async fn freed(&self, moment: Duration) {
        let _ = tokio::time::timeout(moment, self.freed.notified()).await;
    }

    /// Puts claimed jobs in the line of their account; answers the line's other end if there was no line.
    pub(super) fn hand_over(
        &self,
        tenant: TenantId,
        mut jobs: Vec<Job>,
    ) -> Option<UnboundedReceiver<Vec<Job>>> {
        let mut inner = self.lock();
        let entry = inner.entry(tenant);
        for job in &mut jobs {
            job.place.arrive(entry);
        }
        if let Some(line) = &entry.line {
            match line.send(jobs) {
                Ok(()) => return None,
                // It ended without leaving, by a panic.
                Err(unsent) => jobs = unsent.0,
            }
        }
        let (line, inbox) = unbounded_channel();
        // The other end is here, so this cannot fail.
        let _ = line.send(jobs);
        entry.line = Some(line);
        Some(inbox)
    }

    /// Ends a line that has nothing to do, unless something has just come; answers whether it ended.
    pub(super) fn leave(&self, tenant: TenantId, inbox: &UnboundedReceiver<Vec<Job>>) -> bool {
        let mut inner = self.lock();
        if !inbox.is_empty() {
            return false;
        }
        inner.entry(tenant).line = None;
        true
    }

    /// How many calls of an account may be in progress, when its pause ends if it has one, and whether more of its
    /// messages are on their way.
    pub(super) fn slots(&self, tenant: TenantId) -> (usize, Option<Instant>, bool) {
        let now = Instant::now();
        let mut inner = self.lock();
        let entry = inner.entry(tenant);
        let resumes_at = entry.pace.resumes_at(now.into_std()).map(Instant::from_std);
        (entry.pace.slots(now.into_std()), resumes_at, entry.coming > 0)
    }

    /// Notes how a call that began at `begun` went: with trouble of the account, or well. Answers what is news of that.
    pub(super) fn note(&self, tenant: TenantId, begun: Instant, trouble: Option<Reason>) -> News {
        let (now, is_trouble) = (Instant::now(), trouble.is_some());
        let mut inner = self.lock();
        let entry = inner.entry(tenant);
        match trouble {
            None => entry.pace.went_well(begun.into_std()),
            Some(reason) => {
                entry.pace.met_trouble(begun.into_std(), now.into_std(), fastrand::f64());
                entry.trouble = Some(reason);
            }
        }
        if !entry.pace.is_troubled() {
            entry.trouble = None;
        }
        // The answer of a call that began before things changed is no news.
        if entry.pace.is_troubled() == is_trouble { entry.told.news(is_trouble, now) } else { News::None }
    }

    /// Notes that news of an account are told.
    pub(super) fn tell(&self, tenant: TenantId, news: News) {
        self.lock().entry(tenant).told.tell(news, Instant::now());
    }

    /// Why an account is held back, if it is.
    pub(crate) fn trouble(&self, tenant: TenantId) -> Option<Reason> {
        self.lock().accounts.get(&tenant)?.trouble.clone()
    }
}

impl Inner {
    fn entry(&mut self, tenant: TenantId) -> &mut Entry {
        if self.accounts.len() > REMEMBERED {
            let now = std::time::Instant::now();
            self.accounts.retain(|&other, entry| {
                other == tenant
                    || entry.messages > 0
                    || entry.line.is_some()
                    || entry.pace.resumes_at(now).is_some()
            });
        }
        self.accounts.entry(tenant).or_insert_with(Entry::new)
    }
}

impl Place {
    fn arrive(&mut self, entry: &mut Entry) {
        if std::mem::take(&mut self.coming) {
            entry.coming = entry.coming.saturating_sub(1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.desk.lock();
        inner.bytes = inner.bytes.saturating_sub(self.bytes);
        inner.messages = inner.messages.saturating_sub(1);
        let (recipients, bytes) = (self.recipients, self.bytes);
        if let Some(entry) = inner.accounts.get_mut(&self.tenant) {
            entry.messages = entry.messages.saturating_sub(1);
            entry.recipients = entry.recipients.saturating_sub(recipients);
            entry.bytes = entry.bytes.saturating_sub(bytes);
            if self.coming {
                entry.coming = entry.coming.saturating_sub(1);
            }
        }
        drop(inner);
        self.desk.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use domain::Mailbox;
    use mailjet::Credentials;
    use store::providers::AccountDigest;
    use uuid::Uuid;

    use super::*;

    fn account(version: i64) -> Account {
        let credentials = Credentials { api_key: "k".into(), api_secret: "s".into() };
        Account {
            digest: AccountDigest::of(&credentials.api_key),
            credentials,
            from: Mailbox::parse("raven@example.com").unwrap(),
            changed_at: Timestamp::from_second(version).unwrap(),
        }
    }

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    /// As many places as there are for messages of this size.
    fn fill(desk: &Arc<Desk>, tenant: TenantId, bytes: usize) -> Vec<Place> {
        std::iter::from_fn(|| desk.ask((tenant, &account(1)), 1, bytes).ok()).take(100_000).collect()
    }

    #[test]
    fn an_account_has_room_for_its_calls_and_some_ahead_and_takes_nobody_elses() {
        let desk = Desk::new();
        let (one, other) = (tenant(1), tenant(2));
        let mut places = fill(&desk, one, 1000);
        assert_eq!(places.len(), 4 * 50 + AHEAD);
        assert_eq!(desk.room(one, &account(1)), 0);
        assert!(desk.ask((other, &account(1)), 50, 1000).is_ok());
        places.pop();
        assert_eq!(desk.room(one, &account(1)), 1, "what is done with makes room");
    }

    #[test]
    fn what_is_held_is_bounded_in_messages_and_bytes_and_the_first_one_gets_through() {
        let desk = Desk::new();
        let small: Vec<Place> = (0..100).flat_map(|n| fill(&desk, tenant(n), 1000)).collect();
        assert!((MESSAGES..MESSAGES + 100).contains(&small.len()), "{}", small.len());
        assert!(desk.ask((tenant(1000), &account(1)), 1, 1000).is_ok(), "one that has nothing in hand");
        drop(small);
        let large: Vec<Place> = (0..20).flat_map(|n| fill(&desk, tenant(n), 10 << 20)).collect();
        assert!(large.len() * (10 << 20) <= BYTES, "{}", large.len());
        assert!(desk.ask((tenant(1001), &account(1)), 1, 10 << 20).is_err());
        assert!(desk.ask((tenant(1001), &account(1)), 1, 1000).is_ok());
        drop(large);
        assert_eq!((desk.bytes(), desk.lock().messages), (BYTES, 0), "nothing is left behind");
    }

    #[test]
    fn trouble_holds_an_account_back_until_it_goes_well_or_is_changed() {
        let desk = Desk::new();
        let one = tenant(1);
        drop(desk.ask((one, &account(1)), 1, 1000).ok().unwrap());
        let begun = Instant::now();
        desk.note(one, begun, Some(Reason::new("unauthorized", "no")));
        let refused = desk.ask((one, &account(1)), 1, 1000).err().unwrap();
        assert_eq!(refused.map(|reason| reason.code).as_deref(), Some("unauthorized"));
        assert!(desk.ask((tenant(2), &account(1)), 1, 1000).is_ok());
        assert!(desk.ask((one, &account(2)), 1, 1000).is_ok(), "another key is another story");
        assert!(desk.trouble(one).is_none());
    }

    #[test]
    fn a_line_takes_all_that_comes_until_it_leaves() {
        let desk = Desk::new();
        let one = tenant(1);
        let inbox = desk.hand_over(one, Vec::new()).expect("a new line");
        assert!(desk.hand_over(one, Vec::new()).is_none(), "there is one");
        assert!(!desk.leave(one, &inbox), "something has come");
        drop(inbox);
        let mut inbox = desk.hand_over(one, Vec::new()).expect("a new line for one that died");
        assert!(inbox.try_recv().is_ok());
        assert!(desk.leave(one, &inbox));
        assert!(desk.hand_over(one, Vec::new()).is_some());
    }
}

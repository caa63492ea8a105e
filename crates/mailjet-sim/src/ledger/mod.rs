//! The ledger: what was really accepted, duplicates included.
//!
//! It is bounded twice: by the number of messages the settings tell, and by [`MOST_BYTES`] of text.
//! The oldest messages leave first. Whether a `CustomID` was accepted before is remembered longer, as a
//! mark of eight bytes, for the last [`MOST_MARKS`] messages at most.

pub(crate) mod draft;
mod index;
pub(crate) mod message;
mod shelf;
pub(crate) mod track;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;

use self::{draft::Draft, message::Message, shelf::Shelf};
use crate::util::lock;

/// Bytes of text that are kept in all, measured roughly.
pub(crate) const MOST_BYTES: usize = 512 * 1024 * 1024;
/// `CustomID`s that are remembered to count duplicates.
pub(crate) const MOST_MARKS: usize = 4_000_000;
/// Above every number that a double can count to; ids are this plus an odd number, so no double equals one.
const FIRST_ID: u64 = 1 << 60;

/// Under which circumstances messages are accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acceptance<'a> {
    /// The API key of the call.
    pub(crate) api_key: &'a str,
    /// Nothing is sent.
    pub(crate) sandbox: bool,
    /// Which call it is.
    pub(crate) call: u64,
    /// When it came in.
    pub(crate) received_at: Timestamp,
}

/// Every message that was accepted and has not left yet.
#[derive(Debug)]
pub(crate) struct Ledger {
    shelf: Mutex<Shelf>,
    last_id: AtomicU64,
}

impl Ledger {
    /// An empty ledger for so many messages.
    pub(crate) fn new(keep: usize) -> Self {
        // Microseconds keep the ids of one run apart from those of the run before.
        let micros = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        Self { shelf: Mutex::new(Shelf::new(keep)), last_id: AtomicU64::new(FIRST_ID + 2 * micros + 1) }
    }

    /// Accepts a message, whether or not one like it was accepted before.
    pub(crate) fn accept(&self, draft: Draft, under: Acceptance<'_>) -> Arc<Message> {
        let next_id = || (!under.sandbox).then(|| self.last_id.fetch_add(2, Ordering::Relaxed) + 2);
        let message = Message {
            seq: 0,
            received_at: under.received_at,
            accepted_at: Timestamp::now(),
            api_key: under.api_key.to_owned(),
            sandbox: under.sandbox,
            call: under.call,
            recipients: message::recipients(&draft, next_id),
            draft,
        };
        lock(&self.shelf).put(message)
    }

    /// The message and recipient with this `MessageID`.
    pub(crate) fn by_id(&self, id: u64) -> Option<(Arc<Message>, usize)> {
        lock(&self.shelf).by_id(id)
    }

    /// Messages with this `CustomID`, oldest first.
    pub(crate) fn by_custom_id(&self, custom_id: &str) -> Vec<Arc<Message>> {
        lock(&self.shelf).by_custom_id(custom_id)
    }

    /// Messages with this recipient, oldest first.
    pub(crate) fn by_email(&self, email: &str) -> Vec<Arc<Message>> {
        lock(&self.shelf).by_email(&email.to_lowercase())
    }

    /// Up to `most` messages that were accepted after `seq`, oldest first.
    pub(crate) fn after(&self, seq: u64, most: usize) -> Vec<Arc<Message>> {
        lock(&self.shelf).after(seq, most)
    }

    /// Up to `most` of the messages that `wanted` picks, newest first.
    pub(crate) fn latest(&self, most: usize, wanted: impl Fn(&Message) -> bool) -> Vec<Arc<Message>> {
        lock(&self.shelf).newest_first().filter(|message| wanted(message)).take(most).cloned().collect()
    }

    /// How many messages are kept, have left, and were duplicates of an accepted `CustomID`.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        lock(&self.shelf).counts()
    }

    /// Forgets every message and every mark.
    pub(crate) fn clear(&self) {
        lock(&self.shelf).clear();
    }
}

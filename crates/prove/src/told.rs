//! The first ledger: what clients were told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::Answer;
use crate::words::Word;

/// How many wrong answers are kept word for word.
const SHOWN: usize = 10;

/// Whether a message was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canceled {
    /// Nobody asked for it.
    No,
    /// It was asked for, and no clear answer came.
    Perhaps,
    /// It was answered 200.
    Yes,
}

/// A message as a client posted it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The number of its tenant.
    pub(crate) tenant: usize,
    /// Stands in its subject and nowhere else.
    pub(crate) mark: String,
    pub(crate) word: Word,
    /// Distinct recipients.
    pub(crate) recipients: usize,
    /// It came with an idempotency key, so that every try of it is one message.
    pub(crate) keyed: bool,
    /// The id that it was answered 200 with.
    pub(crate) id: Option<String>,
    pub(crate) canceled: Canceled,
}

/// A change by hand that was answered with success, and what the API has to say of it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A key of this id lives.
    KeyMade(usize, String),
    /// A key of this id is revoked.
    KeyRevoked(usize, String),
    /// This address is suppressed.
    Suppressed(usize, String),
    /// This address is not.
    Lifted(usize, String),
}

/// What was told, as it grows.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Book>);

/// The ledger itself.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) sent: Vec<Sent>,
    /// Where each mark stands in `sent`.
    places: HashMap<String, usize>,
    /// Where each id does.
    ids: HashMap<String, usize>,
    /// Events that were posted by hand: the number of each that was answered 200.
    pub(crate) events: HashSet<u64>,
    /// Those that were posted, and perhaps not taken.
    pub(crate) offered: HashSet<u64>,
    pub(crate) changes: Vec<Change>,
    /// Answers by status; 0 is none at all.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Answers that should never be given.
    pub(crate) strange: Vec<String>,
    pub(crate) strange_count: u64,
    /// What was read of a message, and later read otherwise in a way that cannot be.
    pub(crate) backwards: Vec<String>,
    /// Readings of messages.
    pub(crate) readings: u64,
}

impl Book {
    /// Enters what is about to be posted, before anybody can have taken it.
    pub(crate) fn enter(&mut self, sent: Sent) {
        self.places.insert(sent.mark.clone(), self.sent.len());
        self.sent.push(sent);
    }

    /// Enters the id that a message was answered with. One that has an id already must have been given the same.
    pub(crate) fn answered(&mut self, mark: &str, id: &str) {
        let Some(&place) = self.places.get(mark) else { return };
        match &self.sent[place].id {
            Some(known) if known != id => {
                self.strange_count += 1;
                self.strange.push(format!("one key, two messages: {known} and {id}"));
            }
            _ => {
                self.ids.insert(id.to_owned(), place);
                self.sent[place].id = Some(id.to_owned());
            }
        }
    }

    /// Enters what is known of a message's withdrawal.
    pub(crate) fn canceled(&mut self, id: &str, canceled: Canceled) {
        if let Some(&place) = self.ids.get(id) {
            self.sent[place].canceled = canceled;
        }
    }
}

impl Told {
    /// The ledger.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answer, and keeps one that is none of the `expected`, nor one that asks to come again.
    pub(crate) fn note(&self, what: &str, answer: &Answer, expected: &[u16]) {
        let mut book = self.book();
        let status = match answer {
            Answer::Status(status, _) => *status,
            Answer::Nothing => 0,
        };
        *book.answers.entry(status).or_default() += 1;
        if status != 0 && status != 503 && !expected.contains(&status) {
            book.strange_count += 1;
            if book.strange.len() < SHOWN {
                book.strange.push(format!("{what}: {answer:?}"));
            }
        }
    }
}

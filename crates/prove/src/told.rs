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
    /// Those that were posted, and perhaps not taken, with the id of the message that each tells of.
    pub(crate) offered: HashMap<u64, String>,
    pub(crate) changes: Vec<Change>,
    /// Answers by status; 0 is none at all.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Answers that should never be given.
    pub(crate) strange: Vec<String>,
    pub(crate) strange_count: u64,
    /// What clients gave up, long after everything was healed.
    pub(crate) given_up: u64,
    /// What was read of a message, and later read otherwise in a way that cannot be.
    pub(crate) backwards: Vec<String>,
    /// Messages that were read again after they had been read.
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
                let what = format!("one key, two messages: {known} and {id}");
                self.wonder(what);
            }
            _ => {
                self.sent[place].id = Some(id.to_owned());
                if self.ids.insert(id.to_owned(), place).is_some_and(|other| other != place) {
                    self.wonder(format!("{id} was answered to two messages"));
                }
            }
        }
    }

    /// Enters the ids of a request's messages, which must be as many.
    pub(crate) fn all_answered(&mut self, marks: &[String], ids: &[String]) {
        if marks.len() != ids.len() {
            self.wonder(format!("{} ids for {} messages", ids.len(), marks.len()));
        }
        for (mark, id) in marks.iter().zip(ids) {
            self.answered(mark, id);
        }
    }

    /// Keeps an answer that should never be given.
    fn wonder(&mut self, what: String) {
        self.strange_count += 1;
        if self.strange.len() < SHOWN {
            self.strange.push(what);
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
        if !answer.is_for_now() && !expected.contains(&status) {
            book.wonder(format!("{what}: {answer:?}"));
        }
    }

    /// Counts what a client gave up at last: it was refused, or not answered, although everything was healed. An answer that
    /// is neither should never be given.
    pub(crate) fn give_up(&self, last: &Answer) {
        let mut book = self.book();
        if last.is_for_now() {
            book.given_up += 1;
        } else if matches!(last, Answer::Status(200, _)) {
            book.wonder(format!("a 200 that names nothing: {last:?}"));
        }
    }
}

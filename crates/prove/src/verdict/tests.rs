//! A comparison that cannot fail proves nothing: each way in which a ledger can be wrong is found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::ledgers::{Copy, Event, Said};
use super::{Findings, Ledgers, Report, compare, compare_followed};
use crate::faults::Record;
use crate::load::Followed;
use crate::told::{Book, Canceled, Change, Sent};
use crate::words::{PLAIN, POISON, Word};

fn sent(mark: &str, word: Word, id: Option<&str>) -> Sent {
    Sent {
        tenant: 0,
        mark: mark.to_owned(),
        word,
        recipients: 1,
        keyed: true,
        id: id.map(str::to_owned),
        canceled: Canceled::No,
    }
}

/// One message that went well, from all three sides.
fn sound() -> (Book, Ledgers) {
    let mut book = Book::default();
    book.enter(sent("m1", PLAIN, Some("a")));
    let mut ledgers = Ledgers::default();
    ledgers.accepted.insert("a".to_owned(), vec![copy("m1")]);
    ledgers.messages.insert("a".to_owned(), message("m1", "delivered"));
    ledgers.events.push(event("e1", "a", "delivered"));
    (book, ledgers)
}

const ANN: &str = "ann@example.com";

fn copy(mark: &str) -> Copy {
    Copy { mark: mark.to_owned(), tenant: Some(0), recipients: vec![ANN.to_owned()] }
}

fn message(mark: &str, status: &str) -> Said {
    let recipients = vec![(ANN.to_owned(), status.to_owned())];
    let (mark, status) = (mark.to_owned(), status.to_owned());
    Said { tenant: 0, mark, status, attempts: 1, error: json!(null), recipients }
}

fn event(id: &str, message: &str, kind: &str) -> Event {
    let (id, message, kind) = (id.to_owned(), message.to_owned(), kind.to_owned());
    Event { id, tenant: 0, message, kind, recipient: ANN.to_owned(), number: None }
}

/// Lost, doubled, misreported and stuck.
fn counts(book: &Book, ledgers: &Ledgers) -> [usize; 4] {
    compare(book, ledgers).wrong().map(|(_, wrong)| wrong.count)
}

#[test]
fn what_went_well_is_found_to_be_so() {
    let (book, ledgers) = sound();
    assert_eq!(counts(&book, &ledgers), [0; 4]);
}

#[test]
fn what_was_answered_and_is_nowhere_is_lost() {
    let (mut book, ledgers) = sound();
    book.enter(sent("m2", PLAIN, Some("b")));
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0]);
}

#[test]
fn what_raven_calls_sent_and_mailjet_never_had_is_lost() {
    let (book, mut ledgers) = sound();
    ledgers.accepted.clear();
    ledgers.events.clear();
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0]);
}

#[test]
fn two_copies_are_doubled_under_one_id_and_under_one_key() {
    let (book, mut ledgers) = sound();
    ledgers.accepted.insert("a".to_owned(), vec![copy("m1"), copy("m1")]);
    assert_eq!(counts(&book, &ledgers), [0, 1, 0, 0]);
    let (book, mut ledgers) = sound();
    ledgers.accepted.insert("b".to_owned(), vec![copy("m1")]);
    ledgers.messages.insert("b".to_owned(), message("m1", "delivered"));
    ledgers.events.push(event("e2", "b", "delivered"));
    assert_eq!(counts(&book, &ledgers), [0, 1, 0, 0]);
}

#[test]
fn a_status_that_is_not_so_is_misreported() {
    for status in ["failed", "suppressed", "canceled", "bounced", "sent"] {
        let (book, mut ledgers) = sound();
        ledgers.messages.insert("a".to_owned(), message("m1", status));
        assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0], "{status}");
    }
    let (mut book, ledgers) = sound();
    book.sent[0].canceled = Canceled::Yes;
    assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0], "canceled, and it went out");
    let (book, mut ledgers) = sound();
    ledgers.messages.clear();
    ledgers.events.clear();
    assert_eq!(counts(&book, &ledgers)[2], 1, "it went out, and Raven knows nothing of it");
}

#[test]
fn a_failure_is_true_only_in_mailjets_own_words() {
    let mut book = Book::default();
    book.enter(sent("m1", POISON, Some("a")));
    let mut ledgers = Ledgers::default();
    let mut failed = message("m1", "failed");
    failed.error = json!({"code": "mj-0013", "message": "Refused: \"x\" is an invalid email address."});
    ledgers.messages.insert("a".to_owned(), failed);
    assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0]);
    let errors = json!({"ErrorCode": "mj-0013", "ErrorMessage": "\"x\" is an invalid email address."});
    ledgers.refused.insert("a".to_owned(), vec![errors]);
    assert_eq!(counts(&book, &ledgers), [0; 4]);
}

#[test]
fn what_waits_for_ever_is_stuck() {
    let (book, mut ledgers) = sound();
    ledgers.messages.insert("a".to_owned(), message("m1", "sending"));
    ledgers.queued.push(("dead-letters".to_owned(), 1));
    assert_eq!(counts(&book, &ledgers), [0, 0, 0, 2]);
    ledgers.unknown.push("a queue has no figure".to_owned());
    assert_eq!(counts(&book, &ledgers), [0, 0, 0, 3], "what nobody knows may wait for ever as well");
}

#[test]
fn events_are_lost_and_doubled_too() {
    let (book, mut ledgers) = sound();
    ledgers.events.clear();
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0]);
    let (mut book, mut ledgers) = sound();
    book.offered.insert(7, "a".to_owned());
    book.events.insert(7);
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0], "by hand, and nowhere");
    let by_hand = |message| Event { number: Some(7), ..event("e7", message, "open") };
    ledgers.events.push(by_hand("a"));
    assert_eq!(counts(&book, &ledgers), [0; 4]);
    ledgers.events.push(by_hand("a"));
    assert_eq!(counts(&book, &ledgers), [0, 1, 0, 0]);
}

#[test]
fn a_change_that_does_not_hold_is_lost() {
    let (mut book, ledgers) = sound();
    book.changes =
        vec![Change::Suppressed(0, "x@example.net".to_owned()), Change::KeyRevoked(0, "k".to_owned())];
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0]);
}

#[test]
fn readers_miss_nothing_and_meet_nothing_twice() {
    let (_, ledgers) = sound();
    let mut findings = Findings::default();
    let followed = Followed { ids: ["e1".to_owned()].into(), twice: Vec::new() };
    compare_followed(&ledgers, &followed, &mut findings);
    assert_eq!(findings.total(), 0);
    let followed = Followed { ids: ["e9".to_owned()].into(), twice: vec!["e9".to_owned()] };
    compare_followed(&ledgers, &followed, &mut findings);
    assert_eq!((findings.lost.count, findings.doubled.count), (2, 1));
}

#[test]
fn one_recipient_does_not_stand_for_another() {
    let (mut book, mut ledgers) = sound();
    book.sent[0].recipients = 2;
    assert_eq!(counts(&book, &ledgers), [0, 0, 2, 0], "one was left out, by Mailjet's ledger and by Raven's");
    let bob = "bob@example.com".to_owned();
    ledgers.accepted.get_mut("a").unwrap()[0].recipients.push(bob.clone());
    ledgers.messages.get_mut("a").unwrap().recipients.push((bob.clone(), "delivered".to_owned()));
    ledgers.events.push(event("e2", "a", "delivered"));
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0], "two events of one, and none of the other");
    ledgers.events[1].recipient = bob;
    assert_eq!(counts(&book, &ledgers), [0; 4]);
}

#[test]
fn nothing_is_anothers() {
    let (book, mut ledgers) = sound();
    ledgers.accepted.get_mut("a").unwrap()[0].tenant = Some(1);
    assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0], "through another's account");
    let (book, mut ledgers) = sound();
    ledgers.events[0].tenant = 1;
    assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0], "an event that another is shown");
    let (mut book, ledgers) = sound();
    book.enter(sent("m2", PLAIN, None));
    book.answered("m1", "a");
    book.answered("m2", "a");
    assert_eq!((counts(&book, &ledgers)[0], book.strange_count), (1, 1), "one id for two messages");
}

/// What a run shows in which these faults struck, once each, and nothing else is wrong.
fn shown(struck: &Record, rounds: usize, undone: &[&str]) -> (bool, String) {
    let (book, findings) = (Book::default(), Findings::default());
    let report = Report {
        seed: 7,
        rounds,
        broken: Duration::from_mins(1),
        quiet: Duration::from_secs(9),
        book: &book,
        findings: &findings,
        attempts: Vec::new(),
        struck,
        spooled: 0,
        undone: undone.iter().map(ToString::to_string).collect(),
        misdeeds: BTreeMap::new(),
        panics: Vec::new(),
    };
    (report.holds(), report.to_string())
}

#[test]
fn faults_that_did_not_strike_prove_nothing() {
    let mut struck = Record::default();
    for kind in ["hang", "delay"] {
        struck.kinds.insert(kind.to_owned(), vec![Some(Duration::from_secs(1))]);
    }
    let (holds, text) = shown(&struck, 1, &[]);
    assert!(holds && text.contains("all in order 9 s after"), "{text}");
    let (holds, text) = shown(&struck, 2, &[]);
    assert!(!holds && text.contains("2 kinds that struck too seldom"), "{text}");
    assert!(text.contains("compared 9 s after") && !text.contains("all in order"), "{text}");
    let (holds, text) = shown(&struck, 1, &["reading the ledgers: no answer"]);
    assert!(!holds && text.contains("failed: reading the ledgers: no answer"), "{text}");
    struck.broken_off.push("hang: nobody met it".to_owned());
    let (holds, text) = shown(&struck, 1, &[]);
    assert!(!holds && text.contains("broken off: hang: nobody met it"), "{text}");
}

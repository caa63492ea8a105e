//! A comparison that cannot fail proves nothing: each way in which a ledger can be wrong is found.

use serde_json::{Value, json};

use super::{Findings, Ledgers, compare, compare_followed};
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
    ledgers.accepted.insert("a".to_owned(), vec!["m1".to_owned()]);
    ledgers.messages.insert("a".to_owned(), message("m1", "delivered"));
    ledgers.events.push(json!({"id": "e1", "messageId": "a", "type": "delivered"}));
    (book, ledgers)
}

fn message(mark: &str, status: &str) -> Value {
    json!({"subject": mark, "status": status, "attempts": 1})
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
    ledgers.accepted.insert("a".to_owned(), vec!["m1".to_owned(); 2]);
    assert_eq!(counts(&book, &ledgers), [0, 1, 0, 0]);
    let (book, mut ledgers) = sound();
    ledgers.accepted.insert("b".to_owned(), vec!["m1".to_owned()]);
    ledgers.messages.insert("b".to_owned(), message("m1", "delivered"));
    ledgers.events.push(json!({"id": "e2", "messageId": "b", "type": "delivered"}));
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
    assert_eq!(counts(&book, &ledgers), [1, 0, 1, 0], "it went out, and Raven knows nothing of it");
}

#[test]
fn a_failure_is_true_only_in_mailjets_own_words() {
    let mut book = Book::default();
    book.enter(sent("m1", POISON, Some("a")));
    let mut ledgers = Ledgers::default();
    let mut failed = message("m1", "failed");
    failed["error"] = json!({"code": "mj-0013", "message": "Refused: \"x\" is an invalid email address."});
    ledgers.messages.insert("a".to_owned(), failed);
    assert_eq!(counts(&book, &ledgers), [0, 0, 1, 0]);
    let errors = json!([{"ErrorCode": "mj-0013", "ErrorMessage": "\"x\" is an invalid email address."}]);
    ledgers.refused.insert("a".to_owned(), vec![json!({"own": true, "errors": errors})]);
    assert_eq!(counts(&book, &ledgers), [0; 4]);
}

#[test]
fn what_waits_for_ever_is_stuck() {
    let (book, mut ledgers) = sound();
    ledgers.messages.insert("a".to_owned(), message("m1", "sending"));
    ledgers.queued.push(("dead-letters".to_owned(), 1));
    assert_eq!(counts(&book, &ledgers), [0, 0, 0, 2]);
}

#[test]
fn events_are_lost_and_doubled_too() {
    let (book, mut ledgers) = sound();
    ledgers.events.clear();
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0]);
    let (mut book, mut ledgers) = sound();
    book.offered.insert(7);
    book.events.insert(7);
    assert_eq!(counts(&book, &ledgers), [1, 0, 0, 0], "by hand, and nowhere");
    let by_hand = json!({"id": "e7", "messageId": "a", "type": "open", "raw": {"Payload": "7"}});
    ledgers.events.push(by_hand.clone());
    assert_eq!(counts(&book, &ledgers), [0; 4]);
    ledgers.events.push(by_hand);
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

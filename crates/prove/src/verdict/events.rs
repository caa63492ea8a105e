//! Events: each that was told is in the history once, at its message and its recipient, and a reader who keeps its place
//! meets each once.

use std::collections::{HashMap, HashSet};

use super::findings::Findings;
use super::ledgers::{Copy, Event, Ledgers};
use crate::load::Followed;
use crate::told::{Book, Sent};

/// Type and recipient.
type Told<'a> = (&'a str, &'a str);

pub(super) fn compare(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    findings.events = ledgers.events.len();
    let mut of_messages: HashMap<&str, Vec<Told<'_>>> = HashMap::new();
    for event in ledgers.events.iter().filter(|event| event.number.is_none()) {
        of_messages.entry(&event.message).or_default().push((&event.kind, &event.recipient));
    }
    by_hand(book, ledgers, findings);
    let by_mark: HashMap<&str, &Sent> = book.sent.iter().map(|sent| (sent.mark.as_str(), sent)).collect();
    for (id, copies) in &ledgers.accepted {
        let copy = copies.first().and_then(|copy| Some((copy, by_mark.get(copy.mark.as_str())?)));
        if let Some((copy, sent)) = copy {
            told(id, (copy, sent), of_messages.remove(id.as_str()).unwrap_or_default(), findings);
        }
    }
    for (id, told) in of_messages {
        findings.untrue.add(|| format!("events of no message that went out: {id:?} {told:?}"));
    }
    for event in &ledgers.events {
        let owner = ledgers.messages.get(&event.message).map(|said| said.tenant);
        if owner != Some(event.tenant) {
            findings
                .untrue
                .add(|| format!("an event is shown to a tenant whose message it is not: {event:?}"));
        }
    }
}

/// Events that were posted by hand: each once, and at the message that it tells of.
fn by_hand(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    let mut found: HashMap<u64, Vec<&Event>> = HashMap::new();
    for event in &ledgers.events {
        if let Some(number) = event.number {
            found.entry(number).or_default().push(event);
        }
    }
    for number in &book.events {
        if !found.contains_key(number) {
            findings.lost.add(|| format!("event {number} was answered 200, and is not in the history"));
        }
    }
    for (number, events) in found {
        if events.len() > 1 {
            findings.doubled.add(|| format!("event {number} is in the history {} times", events.len()));
        }
        let message = book.offered.get(&number);
        if events.iter().any(|event| Some(&event.message) != message || event.kind != "open") {
            findings
                .untrue
                .add(|| format!("event {number} was posted of {message:?}, and is shown as {events:?}"));
        }
    }
}

/// What the stand-in told of a message that it accepted, for each recipient.
fn told(id: &str, (copy, sent): (&Copy, &Sent), mut told: Vec<Told<'_>>, findings: &mut Findings) {
    let each = |recipient| sent.word.events.iter().map(move |kind| (*kind, recipient));
    let mut expected: Vec<Told<'_>> = copy.recipients.iter().flat_map(|one| each(one.as_str())).collect();
    expected.sort_unstable();
    told.sort_unstable();
    if told == expected {
        return;
    }
    let shown = || format!("{id} ({}): events {told:?} instead of {expected:?}", sent.mark);
    let missing = expected.iter().any(|one| !told.contains(one));
    if missing { findings.lost.add(shown) } else { findings.doubled.add(shown) }
}

/// What those who followed the histories met, beside what is there.
pub(crate) fn compare_followed(ledgers: &Ledgers, followed: &Followed, findings: &mut Findings) {
    for id in &followed.twice {
        findings.doubled.add(|| format!("a reader of the history met event {id} twice"));
    }
    let there: HashSet<&str> = ledgers.events.iter().map(|event| event.id.as_str()).collect();
    for id in there.iter().filter(|id| !followed.ids.contains(**id)) {
        findings.lost.add(|| format!("a reader of the history never met event {id}"));
    }
    for id in followed.ids.iter().filter(|id| !there.contains(id.as_str())) {
        findings.lost.add(|| format!("event {id} was in the history, and is not any more"));
    }
}

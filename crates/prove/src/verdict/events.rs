//! Events: each that was told is in the history once, and a reader who keeps its place meets each once.

use std::collections::{HashMap, HashSet};

use super::findings::Findings;
use super::ledgers::{Ledgers, text};
use crate::load::{Followed, number};
use crate::told::{Book, Sent};

pub(super) fn compare(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    findings.events = ledgers.events.len();
    let mut by_hand: HashMap<u64, usize> = HashMap::new();
    let mut of_messages: HashMap<String, Vec<String>> = HashMap::new();
    for event in &ledgers.events {
        match number(event) {
            Some(number) => *by_hand.entry(number).or_default() += 1,
            None => of_messages.entry(text(&event["messageId"])).or_default().push(text(&event["type"])),
        }
    }
    numbered(book, &by_hand, findings);
    let by_mark: HashMap<&str, &Sent> = book.sent.iter().map(|sent| (sent.mark.as_str(), sent)).collect();
    for (id, marks) in &ledgers.accepted {
        let sent = marks.first().and_then(|mark| by_mark.get(mark.as_str()));
        if let Some(sent) = sent {
            told(id, sent, of_messages.remove(id).unwrap_or_default(), findings);
        }
    }
    for (id, types) in of_messages {
        findings.untrue.add(|| format!("events of no message that went out: {id:?} {types:?}"));
    }
}

/// Events that were posted by hand.
fn numbered(book: &Book, found: &HashMap<u64, usize>, findings: &mut Findings) {
    for number in &book.events {
        if !found.contains_key(number) {
            findings.lost.add(|| format!("event {number} was answered 200, and is not in the history"));
        }
    }
    for (number, times) in found {
        if *times > 1 {
            findings.doubled.add(|| format!("event {number} is in the history {times} times"));
        }
        if !book.offered.contains(number) {
            findings.untrue.add(|| format!("event {number} was never posted"));
        }
    }
}

/// What the stand-in told of a message that it accepted, for each recipient.
fn told(id: &str, sent: &Sent, mut types: Vec<String>, findings: &mut Findings) {
    let mut expected: Vec<&str> = sent.word.events.repeat(sent.recipients);
    expected.sort_unstable();
    types.sort_unstable();
    if types == expected {
        return;
    }
    let shown = || format!("{id} ({}): events {types:?} instead of {expected:?}", sent.mark);
    if types.len() > expected.len() { findings.doubled.add(shown) } else { findings.lost.add(shown) }
}

/// What those who followed the histories met, beside what is there.
pub(crate) fn compare_followed(ledgers: &Ledgers, followed: &Followed, findings: &mut Findings) {
    for id in &followed.twice {
        findings.doubled.add(|| format!("a reader of the history met event {id} twice"));
    }
    let there: HashSet<String> = ledgers.events.iter().map(|event| text(&event["id"])).collect();
    for id in there.difference(&followed.ids) {
        findings.lost.add(|| format!("a reader of the history never met event {id}"));
    }
    for id in followed.ids.difference(&there) {
        findings.lost.add(|| format!("event {id} was in the history, and is not any more"));
    }
}

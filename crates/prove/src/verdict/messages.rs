//! Messages: none lost, none doubled, none misreported, none stuck.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::findings::Findings;
use super::ledgers::{Ledgers, text};
use crate::told::{Book, Canceled, Sent};
use crate::words::POISON;

/// Statuses from which something must still follow.
const OPEN: [&str; 3] = ["scheduled", "queued", "sending"];

pub(super) fn compare(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    let by_mark: HashMap<&str, &Sent> = book.sent.iter().map(|sent| (sent.mark.as_str(), sent)).collect();
    for sent in &book.sent {
        let Some(id) = &sent.id else { continue };
        findings.answered += 1;
        if !ledgers.messages.contains_key(id) {
            findings.lost.add(|| format!("{id} was answered 200, and Raven knows nothing of it"));
        }
    }
    copies(&by_mark, ledgers, findings);
    let heard: HashSet<&str> = book.sent.iter().filter_map(|sent| sent.id.as_deref()).collect();
    for (id, message) in &ledgers.messages {
        *findings.statuses.entry(text(&message["status"])).or_default() += 1;
        findings.tried_again += usize::from(message["attempts"].as_u64() > Some(1));
        match by_mark.get(text(&message["subject"]).as_str()) {
            Some(sent) => judge(sent, (id, message), ledgers, findings),
            None => findings.untrue.add(|| format!("{id} was never posted: {message}")),
        }
        let went = ledgers.accepted.contains_key(id);
        findings.unheard += usize::from(went && !heard.contains(id.as_str()));
    }
    for (queue, waiting) in &ledgers.queued {
        findings.stuck.add(|| format!("{waiting} in the queue {queue}"));
    }
}

/// Each id was accepted once, and under each key one id.
fn copies(by_mark: &HashMap<&str, &Sent>, ledgers: &Ledgers, findings: &mut Findings) {
    let mut ids: HashMap<&str, Vec<&str>> = HashMap::new();
    for (id, marks) in &ledgers.accepted {
        if marks.len() > 1 {
            findings.doubled.add(|| format!("{id} was accepted {} times", marks.len()));
        }
        if !ledgers.messages.contains_key(id) {
            findings.untrue.add(|| format!("{id} went out, and Raven knows nothing of it"));
        }
        for mark in marks.iter().take(1) {
            ids.entry(mark).or_default().push(id);
        }
    }
    // A mark is of one request; with a key it is of all its tries.
    for (mark, ids) in ids.iter().filter(|(_, ids)| ids.len() > 1) {
        let keyed = by_mark.get(mark).is_some_and(|sent| sent.keyed);
        findings.doubled.add(|| format!("{mark} went out as {ids:?} (with a key: {keyed})"));
    }
}

/// Whether what Raven says of a message is so.
fn judge(sent: &Sent, (id, message): (&str, &Value), ledgers: &Ledgers, findings: &mut Findings) {
    let status = text(&message["status"]);
    let copies = ledgers.accepted.get(id).map_or(0, Vec::len);
    let shown = || format!("{id} ({}): accepted {copies} times, and Raven says {message}", sent.mark);
    if OPEN.contains(&status.as_str()) {
        findings.stuck.add(shown);
        return;
    }
    let is_told = sent.id.as_deref() == Some(id);
    if is_told && sent.canceled == Canceled::Yes && status != "canceled" {
        findings.untrue.add(shown);
        return;
    }
    match status.as_str() {
        "canceled" if copies == 0 && sent.canceled != Canceled::No => {}
        "failed" if copies == 0 && is_refused(id, message, ledgers) => {}
        "failed" | "canceled" | "suppressed" => findings.untrue.add(shown),
        _ if copies == 0 => findings.lost.add(shown),
        _ if sent.word == POISON || status != sent.word.status => findings.untrue.add(shown),
        _ => {}
    }
}

/// Whether the stand-in refused this message, for itself, with the words that Raven shows.
fn is_refused(id: &str, message: &Value, ledgers: &Ledgers) -> bool {
    let words = text(&message["error"]["message"]);
    let code = &message["error"]["code"];
    let same = |one: &Value| one["ErrorCode"] == *code && words.contains(&text(&one["ErrorMessage"]));
    let refusals = ledgers.refused.get(id).map_or(&[][..], Vec::as_slice);
    refusals
        .iter()
        .any(|refused| refused["own"] == true && refused["errors"].as_array().into_iter().flatten().any(same))
}

//! Messages: none lost, none doubled, none misreported, none stuck.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::findings::Findings;
use super::ledgers::{Ledgers, Said};
use crate::told::{Book, Canceled, Sent};
use crate::words::POISON;

/// Statuses from which something must still follow.
const OPEN: [&str; 3] = ["scheduled", "queued", "sending"];

pub(super) fn compare(book: &Book, ledgers: &Ledgers, findings: &mut Findings) {
    let by_mark: HashMap<&str, &Sent> = book.sent.iter().map(|sent| (sent.mark.as_str(), sent)).collect();
    for sent in &book.sent {
        let Some(id) = &sent.id else { continue };
        findings.answered += 1;
        // Under its id stands this message, and no other.
        if ledgers.messages.get(id).is_none_or(|said| said.mark != sent.mark) {
            findings
                .lost
                .add(|| format!("{id} ({}) was answered 200, and Raven knows nothing of it", sent.mark));
        }
    }
    copies(&by_mark, ledgers, findings);
    let heard: HashSet<&str> = book.sent.iter().filter_map(|sent| sent.id.as_deref()).collect();
    for (id, said) in &ledgers.messages {
        *findings.statuses.entry(said.status.clone()).or_default() += 1;
        findings.tried_again += usize::from(said.attempts > 1);
        match by_mark.get(said.mark.as_str()) {
            Some(sent) => judge(sent, (id, said), ledgers, findings),
            None => findings.untrue.add(|| format!("{id} was never posted: {said:?}")),
        }
        let went = ledgers.accepted.contains_key(id);
        findings.unheard += usize::from(went && !heard.contains(id.as_str()));
    }
    for id in &ledgers.listed_twice {
        findings.untrue.add(|| format!("{id} is listed twice"));
    }
    for (queue, waiting) in &ledgers.queued {
        findings.stuck.add(|| format!("{waiting} still wait: {queue}"));
    }
    for why in &ledgers.unknown {
        findings.stuck.add(|| format!("nobody knows what still waits: {why}"));
    }
    for _ in 0..book.given_up {
        findings.stuck.add(|| "a client was refused long after everything was healed".to_owned());
    }
}

/// Each id was accepted once, under the account of its tenant, and of each request one id.
fn copies(by_mark: &HashMap<&str, &Sent>, ledgers: &Ledgers, findings: &mut Findings) {
    let mut ids: HashMap<&str, Vec<&str>> = HashMap::new();
    for (id, copies) in &ledgers.accepted {
        if copies.len() > 1 {
            findings.doubled.add(|| format!("{id} was accepted {} times", copies.len()));
        }
        let said = ledgers.messages.get(id);
        if said.is_none_or(|said| copies.iter().any(|copy| copy.mark != said.mark)) {
            findings.untrue.add(|| format!("{id} went out, and Raven knows nothing of it"));
        }
        for copy in copies {
            let sent = by_mark.get(copy.mark.as_str());
            if sent.is_none_or(|sent| {
                copy.tenant != Some(sent.tenant) || copy.recipients.len() != sent.recipients
            }) {
                findings.untrue.add(|| format!("{id} went out as nobody posted it: {copy:?}"));
            }
        }
        for copy in copies.iter().take(1) {
            ids.entry(&copy.mark).or_default().push(id);
        }
    }
    // A mark is of one request; with a key it is of all its tries.
    for (mark, ids) in ids.iter().filter(|(_, ids)| ids.len() > 1) {
        let keyed = by_mark.get(mark).is_some_and(|sent| sent.keyed);
        findings.doubled.add(|| format!("{mark} went out as {ids:?} (with a key: {keyed})"));
    }
}

/// Whether what Raven says of a message is so.
fn judge(sent: &Sent, (id, said): (&str, &Said), ledgers: &Ledgers, findings: &mut Findings) {
    let copies = ledgers.accepted.get(id).map_or(0, Vec::len);
    let shown = || format!("{id}: accepted {copies} times, and Raven says {said:?}");
    let status = said.status.as_str();
    if OPEN.contains(&status) {
        findings.stuck.add(shown);
        return;
    }
    let withdrawn = sent.id.as_deref() == Some(id) && sent.canceled == Canceled::Yes;
    if said.tenant != sent.tenant || (withdrawn && status != "canceled") {
        findings.untrue.add(shown);
        return;
    }
    match status {
        "canceled" if copies == 0 && sent.canceled != Canceled::No => {}
        "failed" if copies == 0 && is_refused(id, said, ledgers) => {}
        "failed" | "canceled" | "suppressed" => findings.untrue.add(shown),
        _ if copies == 0 => findings.lost.add(shown),
        _ if sent.word == POISON || !is_as_expected(sent, said) => findings.untrue.add(shown),
        _ => {}
    }
}

/// Whether the message and each of its recipients have the status that the stand-in gives such addresses.
fn is_as_expected(sent: &Sent, said: &Said) -> bool {
    let status = sent.word.status;
    said.status == status
        && said.recipients.len() == sent.recipients
        && said.recipients.iter().all(|(_, its)| its == status)
}

/// Whether the stand-in refused this message, for itself, with the words that Raven shows.
fn is_refused(id: &str, said: &Said, ledgers: &Ledgers) -> bool {
    let words = said.error["message"].as_str().unwrap_or_default();
    let same = |one: &Value| {
        one["ErrorCode"] == said.error["code"]
            && one["ErrorMessage"].as_str().is_some_and(|text| words.contains(text))
    };
    ledgers.refused.get(id).is_some_and(|errors| errors.iter().any(same))
}

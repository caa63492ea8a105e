//! The messages themselves, under the ledger's lock, with their indexes and bounds.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{MOST_BYTES, MOST_MARKS, index::Index, message::Message};
use crate::util::fingerprint;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    keep: usize,
    /// In the order of their sequence numbers, without gaps.
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    last_seq: u64,
    left: u64,
    duplicates: u64,
    custom_ids: Index,
    emails: Index,
    ids: HashMap<u64, (u64, usize)>,
    /// Marks of the `CustomID`s accepted so far, and of the recipients of deduplicated campaigns.
    marks: HashSet<u64>,
    campaign_marks: HashSet<u64>,
}

impl Shelf {
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    pub(super) fn put(&mut self, mut message: Message) -> Arc<Message> {
        self.last_seq += 1;
        message.seq = self.last_seq;
        if !message.sandbox {
            self.mark(&mut message);
        }
        let message = Arc::new(message);
        self.custom_ids.add(&message.draft.custom_id, message.seq);
        for (at, recipient) in message.recipients.iter().enumerate() {
            self.emails.add(&recipient.email, message.seq);
            if recipient.id != 0 {
                self.ids.insert(recipient.id, (message.seq, at));
            }
        }
        self.bytes += message.draft.weight();
        self.messages.push_back(Arc::clone(&message));
        while self.messages.len() > self.keep || self.bytes > MOST_BYTES {
            self.drop_oldest();
        }
        message
    }

    /// Counts a repeated `CustomID`, and notes recipients that had mail of the same campaign before.
    fn mark(&mut self, message: &mut Message) {
        let draft = &message.draft;
        if !draft.custom_id.is_empty() && !remember(&mut self.marks, &["id", &draft.custom_id]) {
            self.duplicates += 1;
        }
        let Some(campaign) = draft.custom_campaign.as_ref().filter(|_| draft.deduplicate_campaign) else {
            return;
        };
        for recipient in &mut message.recipients {
            let parts = [message.api_key.as_str(), campaign, &recipient.email];
            recipient.repeated = !remember(&mut self.campaign_marks, &parts);
        }
    }

    fn drop_oldest(&mut self) {
        let Some(message) = self.messages.pop_front() else { return };
        self.left += 1;
        self.bytes -= message.draft.weight();
        self.custom_ids.forget(&message.draft.custom_id, message.seq);
        for recipient in &message.recipients {
            self.emails.forget(&recipient.email, message.seq);
            self.ids.remove(&recipient.id);
        }
    }

    fn by_seq(&self, seq: u64) -> Option<&Arc<Message>> {
        let first = self.messages.front()?.seq;
        self.messages.get(usize::try_from(seq.checked_sub(first)?).ok()?)
    }

    pub(super) fn by_id(&self, id: u64) -> Option<(Arc<Message>, usize)> {
        let (seq, at) = self.ids.get(&id)?;
        Some((Arc::clone(self.by_seq(*seq)?), *at))
    }

    pub(super) fn by_custom_id(&self, custom_id: &str) -> Vec<Arc<Message>> {
        self.custom_ids.find(custom_id).filter_map(|seq| self.by_seq(seq).cloned()).collect()
    }

    pub(super) fn by_email(&self, email: &str) -> Vec<Arc<Message>> {
        self.emails.find(email).filter_map(|seq| self.by_seq(seq).cloned()).collect()
    }

    pub(super) fn after(&self, seq: u64, most: usize) -> Vec<Arc<Message>> {
        let start = self.messages.partition_point(|message| message.seq <= seq);
        self.messages.iter().skip(start).take(most).cloned().collect()
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.iter().rev()
    }

    pub(super) fn counts(&self) -> (usize, u64, u64) {
        (self.messages.len(), self.left, self.duplicates)
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.custom_ids.clear();
        self.emails.clear();
        self.ids.clear();
        self.marks.clear();
        self.campaign_marks.clear();
        (self.bytes, self.left, self.duplicates) = (0, 0, 0);
    }
}

/// Remembers a mark, and answers whether it is new. A full set is emptied: it forgets rather than grows.
fn remember(marks: &mut HashSet<u64>, parts: &[&str]) -> bool {
    if marks.len() >= MOST_MARKS {
        marks.clear();
    }
    marks.insert(fingerprint(parts))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::ledger::{Acceptance, Ledger, draft::Draft};

    fn accept(ledger: &Ledger, custom_id: &str, email: &str) -> u64 {
        let draft =
            serde_json::json!({"CustomID": custom_id, "To": [{"Email": email}], "Cc": [{"Email": email}]});
        let draft: Draft = serde_json::from_value(draft).unwrap();
        let under = Acceptance { api_key: "k", sandbox: false, call: 1, received_at: Timestamp::UNIX_EPOCH };
        let message = ledger.accept(draft, under);
        assert_eq!(message.recipients.len(), 1, "a repeated recipient counts once");
        message.recipients[0].id
    }

    #[test]
    fn the_oldest_leave_with_their_indexes() {
        let ledger = Ledger::new(2);
        let first = accept(&ledger, "a", "X@y.zz");
        let second = accept(&ledger, "a", "x@y.zz");
        accept(&ledger, "b", "x@y.zz");
        assert!(ledger.by_id(first).is_none());
        assert_eq!(ledger.by_id(second).unwrap().0.seq, 2);
        assert_eq!(ledger.by_custom_id("a").len(), 1);
        assert_eq!(ledger.by_email("X@Y.ZZ").len(), 2);
        assert_eq!(ledger.after(2, 10).len(), 1);
        assert_eq!(ledger.counts(), (2, 1, 1));
        ledger.clear();
        assert_eq!(ledger.counts(), (0, 0, 0));
        assert!(ledger.by_email("x@y.zz").is_empty());
    }

    #[test]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the loss is what is tested"
    )]
    fn no_double_can_carry_an_id() {
        let ledger = Ledger::new(10);
        let ids = [accept(&ledger, "", "a@b.cc"), accept(&ledger, "", "a@b.cc")];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            assert!(i64::try_from(id).is_ok());
            assert_ne!(id as f64 as u64, id);
        }
    }
}

//! Addresses that tell the stand-in what to do, and what Raven has to say of them in the end.

use fastrand::Rng;

/// What becomes of mail for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// The first word of the address.
    pub(crate) text: &'static str,
    /// The status in the end.
    pub(crate) status: &'static str,
    /// The types of its events.
    pub(crate) events: &'static [&'static str],
}

const fn word(text: &'static str, status: &'static str, events: &'static [&'static str]) -> Word {
    Word { text, status, events }
}

/// Mail that arrives, and nothing else happens to it.
pub(crate) const PLAIN: Word = word("ann", "delivered", &["delivered"]);
/// Mail of which nothing is told.
pub(crate) const SILENT: Word = word("silent", "sent", &[]);
/// Mail that Mailjet refuses.
pub(crate) const POISON: Word = word("poison", "failed", &[]);

/// How likely each is, in a hundred; the rest is plain.
const SHARES: [(usize, Word); 10] = [
    (8, word("open", "delivered", &["delivered", "open"])),
    (8, word("click", "delivered", &["delivered", "open", "click"])),
    (4, word("bounce", "bounced", &["hard_bounce"])),
    (4, word("soft", "bounced", &["soft_bounce"])),
    (3, word("spam", "complained", &["delivered", "spam_complaint"])),
    (3, word("unsub", "unsubscribed", &["delivered", "unsubscribe"])),
    (3, word("blocked", "blocked", &["blocked"])),
    (5, word("greylisted", "delivered", &["deferred", "delivered"])),
    (8, SILENT),
    (1, POISON),
];

impl Word {
    /// One by lot.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut ticket = rng.usize(..100);
        for (share, word) in SHARES {
            if ticket < share {
                return word;
            }
            ticket -= share;
        }
        PLAIN
    }
}

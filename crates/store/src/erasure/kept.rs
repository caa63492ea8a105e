//! What an erasure does not reach, and why: whoever answers for the data has to know.

use super::Erased;

/// Something that is not erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// What.
    pub what: &'static str,
    /// Why, and what to do about it.
    pub why: &'static str,
}

const SUPPRESSION: Kept = Kept {
    what: "the address on the suppression list",
    why: "so that nobody writes to the person again; ask with keepSuppression false to have it taken off",
};
const PENDING: Kept = Kept {
    what: "messages that are being sent at this moment, with their events",
    why: "whether they reached the provider is not known yet; repeat the erasure until pending is 0",
};
const LATER: Kept = Kept {
    what: "subject, metadata and body of messages that others are still to get",
    why: "the person does not get them any more; a worker erases them once the messages are settled",
};
const ALWAYS: [Kept; 7] = [
    Kept {
        what: "ids, times, statuses, tags, and digests of requests and events",
        why: "they name nobody, and keep a webhook that is repeated, or a request, from counting twice",
    },
    Kept {
        what: "messages in RabbitMQ that no worker has taken yet, and dead letters",
        why: "queues cannot be searched; repeat the erasure when the queues are empty, and discard dead letters by hand",
    },
    Kept {
        what: "events that the provider tells from now on",
        why: "they bring the address back; repeat the erasure when no more are to come",
    },
    Kept {
        what: "events that name nobody as their recipient, or another recipient of the same message",
        why: "they cannot be found by the address; their raw items may repeat the message's metadata",
    },
    Kept {
        what: "mail to others that names the person, or was sent in the person's name",
        why: "only what went to the address is found by it",
    },
    Kept {
        what: "backups of the database and logs of the programs",
        why: "Raven does not reach them; let them age out",
    },
    Kept {
        what: "what the provider has stored",
        why: "Mailjet keeps contacts and messages of its own; have it erase them there",
    },
];

/// What an erasure that came to this has left.
pub fn kept(erased: &Erased) -> Vec<Kept> {
    let mut kept = Vec::new();
    for (applies, one) in [
        (erased.suppressed && !erased.unsuppressed, SUPPRESSION),
        (erased.pending > 0, PENDING),
        (erased.later > 0, LATER),
    ] {
        if applies {
            kept.push(one);
        }
    }
    kept.extend(ALWAYS);
    kept
}

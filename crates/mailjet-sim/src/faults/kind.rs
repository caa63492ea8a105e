//! The kinds of faults.

use serde::{Deserialize, Serialize};

/// What goes wrong. The value names are those of the orders; the list of all is shown beside the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// A send is answered 429 and nothing is accepted.
    RateLimit,
    /// A send is answered 500 and nothing is accepted.
    ServerError,
    /// A send is accepted and answered 500.
    ServerErrorAfterAccept,
    /// The connection of a send closes without an answer and nothing is accepted.
    DropBefore,
    /// A send is accepted and its connection closes without an answer.
    DropAfterAccept,
    /// A send is accepted and answered late.
    Delay,
    /// A send is accepted and never answered; its connection stays open until the client goes.
    Hang,
    /// A send is accepted and answered with a truncated body.
    Garbage,
    /// One message of a send, drawn by lot, is refused for its address; the others are accepted, and the answer is 400.
    Partial,
    /// A send is answered 401, as to bad credentials, and nothing is accepted.
    Unauthorized,
    /// A send is answered 401, as to an account that Mailjet has blocked, and nothing is accepted.
    BlockedAccount,
    /// An event is delivered twice at once, and once more later.
    EventsDuplicate,
    /// The events of a message are delivered last first; it needs events of more than one time.
    EventsReorder,
    /// Events wait until the fault is deleted.
    EventsHold,
    /// A look-up of messages is answered 500.
    LookupError,
    /// A look-up does not see messages younger than the delay; it counts where that hides any.
    LookupLag,
}

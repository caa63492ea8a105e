//! Tables `messages`, `message_contents`, `recipients`, `message_tags` and `attempts`: the life of a message, by what happens to it.
//!
//! Lock order, the same everywhere: rows of `messages` in the order of their ids, and only then anything else of a
//! message. So no two transactions of any number of workers wait for each other in a circle.
//!
//! Where a row is found by its id, its tenant is compared with `is not distinct from`, which no index serves. There are
//! indexes that begin with the tenant; and as long as Postgres knows nothing of a young table, it takes one of those for
//! as good as the primary key, and reads all of a tenant's messages to find one.

mod by_hand;
mod claim;
mod due;
mod limited;
mod list;
mod read;
mod record;
mod release;
mod settle;

pub use by_hand::{cancel, retry};
pub use claim::{Arrival, Claimed, Plan, claim};
pub use due::{DueSend, Kind, Question, Waiting, Wanted, give_up, take_questions, take_sends, waiting};
pub use limited::{Limited, limited};
pub use list::{Filter, Listed, Place, list};
pub use read::{Digest, Envelope, MessageView, RecipientView, digest, get};
pub use record::{Transition, record};
pub use release::{Unbegun, release};
pub(crate) use settle::{Move, apply, take_back};

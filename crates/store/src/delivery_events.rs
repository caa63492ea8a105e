//! Table `delivery_events`: the history of what providers told, and what follows from it.

mod archive;
mod feed;
mod find;
mod insert;
mod link;
mod read;
mod record;
mod revise;

pub use archive::{Archived, archived, span};
pub use feed::{Filter, feed};
pub use link::{Window, link};
pub use read::{EventView, of_message};
pub use record::{Incoming, Recorded, record};
pub use revise::{Revised, Revision, StillSuppressed, revise};

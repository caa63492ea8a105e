//! Table `delivery_events`: the history of what providers told, and what follows from it.

mod link;
mod read;
mod record;

pub use link::link;
pub use read::{EventView, of_message};
pub use record::{Incoming, Recorded, record};

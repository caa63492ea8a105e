//! Reading webhook bodies: one object (Version 1) or an array of objects (Version 2), normalised item by item.

mod fields;
mod fingerprint;
mod items;
mod normalise;

pub use items::{Items, NotAWebhook, items};
pub use normalise::{normalise, unknown};

/// The provider's name in URLs and in stored events.
pub const PROVIDER: &str = "mailjet";

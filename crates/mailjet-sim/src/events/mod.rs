//! Events: what happens to accepted mail, when, and who is told.

pub(crate) mod callback;
pub(crate) mod courier;
pub(crate) mod happening;
pub(crate) mod kind;
pub(crate) mod outbox;
pub(crate) mod payload;
pub(crate) mod post;
pub(crate) mod registry;
pub(crate) mod timeline;

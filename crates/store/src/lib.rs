//! Postgres: everything that Raven knows about a message after a worker took it on.
//!
//! Guarantees: what a function here reports as done is committed; a claim is committed before anyone may call the
//! provider; a status only moves along the order of [`domain::Status`]; every statement on a tenant's data names
//! the tenant; credentials are sealed before they reach the database.
//!
//! This crate must never call the network, and lets no row type out.

pub mod api_keys;
pub mod audit;
pub mod chores;
mod connection;
pub mod delivery_events;
pub mod directory;
pub mod domains;
mod doubt;
pub mod erasure;
mod error;
mod lent;
pub mod managed_tokens;
pub mod messages;
pub mod migrate;
pub mod partitions;
mod pool;
pub mod providers;
pub mod retention;
pub mod seal;
pub mod sealed;
pub mod suppressions;
pub mod tenants;
mod watch;
pub mod webhook_registrations;
pub mod webhook_tokens;

pub use error::Error;
pub use pool::{DatabaseUrl, Store};
pub use seal::Keyring;
pub use watch::watch;

//! RabbitMQ: one supervisor for each role, topology declared in one place, confirmed publishing, batched consuming.
//!
//! Guarantees:
//! * [`Publisher::publish`] answers `Ok` only when the broker confirmed a persistent message that it routed to a
//!   quorum queue. Every other answer means "not known to be kept"; the caller may publish again.
//! * A delivery is acknowledged only after its handler said [`Verdict::Done`], or after a copy of it was confirmed on
//!   the dead-letter queue. Only [`consumer`] acknowledges.
//! * A dead letter leaves its queue when an operator discards it, or after its copy was confirmed where it came from.
//!   Only [`dead_letters`] acknowledges those.
//! * Connections are made again for ever; no process ends because the broker is away.
//! * Everything that waits is bounded: publishes in flight, deliveries held, time.
//!
//! This crate must never know what a message means.

mod connection;
pub mod consumer;
pub mod dead_letters;
mod delivery;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod headers;
mod lane;
mod publisher;
pub mod sabotage;
mod state;
mod supervisor;
mod topology;

pub use connection::{BrokerUrl, InvalidUrl};
pub use consumer::{ConsumerSettings, Handler};
pub use delivery::{Delivery, Verdict};
pub use publisher::{Publication, PublishError, Publisher, PublisherSettings};
pub use state::State;
pub use topology::{Queue, declare};

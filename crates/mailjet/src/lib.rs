//! All that Mailjet says and expects on the wire.
//!
//! Guarantees: every failure of a send becomes one of the four outcomes of [`domain::Outcome`], and only what certainly
//! did not reach Mailjet is called "not sent"; ids stay exact (they exceed 2^53, so no number goes through a float);
//! what cannot be understood is kept, not refused.
//!
//! This crate must never decide when to try again, and the way of an accepted message into the queue must not need it.

mod active_senders;
mod answer;
mod callbacks;
mod client;
mod domains;
pub mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod look_up;
mod refusal;
mod request;
mod rest;
mod unsaid;

pub use active_senders::SenderState;
pub use callbacks::{Callback, CallbackEvent, CallbackStatus, UnknownEvent};
pub use client::{Client, Credentials, InvalidUrl, LookUp, SendAnswer};
pub use domains::{DnsFindings, DomainDns, DomainSender, Finding, Origin, Standing, TxtRecord, Validation};
pub use request::Outgoing;
/// A URL as the client reads it, for those who make and compare the URLs of callbacks.
pub use reqwest::Url;
pub use rest::{Rest, RestError};

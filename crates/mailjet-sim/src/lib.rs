//! A stand-in for Mailjet's HTTP API, for development, demonstrations and black-box tests.
//!
//! It imitates version 3.1 of the send API, the events that follow, and the REST resources for callback
//! URLs, senders, domains and the look-up of messages. Beside them, `/sim/…` shows what was really
//! accepted and refused, and makes things go wrong on demand, for everyone or for one account:
//! `POST /sim/faults {"kind", "account"?, "count"?, "probability"?, "delayMs"?}`, with the kinds that
//! `GET /sim/faults` lists.
//!
//! What it must never do: send mail to anyone; share a type with the client that it is used to test; be
//! kinder than the real service, as by recognising a message that was sent twice; be the only judge of a
//! client. Where Mailjet's documentation is silent, the place in the code says what was assumed.
//!
//! Everything is in memory and bounded: the ledger by [`Settings::keep`] and half a gibibyte of text,
//! planned events by a million, each queue of events by 100,000, everything else by counts that no test
//! meets. What is over a bound leaves oldest first, or is refused, and is counted.

mod app;
mod connection;
mod control;
mod error;
mod events;
mod faults;
mod gate;
mod ledger;
mod refusals;
mod rest;
mod send;
mod senders;
mod server;
mod settings;
mod stats;
mod util;

pub use error::Error;
pub use server::run;
pub use settings::{Credentials, Settings};

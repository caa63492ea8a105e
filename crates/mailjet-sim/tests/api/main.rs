//! The stand-in over real HTTP, against a receiver of events on the loopback.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod control;
mod delivery;
mod events;
mod faults;
mod harness;
mod lookup;
mod receiver;
mod rest;
mod send;

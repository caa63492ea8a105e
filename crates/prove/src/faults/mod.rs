//! What breaks: every kind of fault, and a seeded schedule of them.
//!
//! Faults strike on several tracks at once: on each track one after the other, so that two faults never pull at the same
//! thing, while those of different tracks meet in every combination.

mod catalogue;
mod strike;
mod track;

pub(crate) use catalogue::{Kind, catalogue};
pub(crate) use track::{Record, Struck, Tracks, Until};

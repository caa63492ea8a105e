//! What every test stands on: servers, processes, and ways to talk to them.

pub(crate) mod cli;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod leak;
pub(crate) mod ledger;
pub(crate) mod raven;
pub(crate) mod raw;
pub(crate) mod servers;
pub(crate) mod sim;
pub(crate) mod tenant;
pub(crate) mod vhost;
pub(crate) mod wait;

pub(crate) use events::Copy;
pub(crate) use raven::Raven;
pub(crate) use tenant::{Tenant, plain};

//! `/v3/REST/…`: callback URLs, senders, DNS and the look-up of messages.

mod callbacks;
mod dns;
mod history;
mod messages;
mod query;
pub(crate) mod reply;
mod row;
mod senders;

use actix_web::web;

/// Mounts every resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .configure(callbacks::mount)
        .configure(senders::mount)
        .configure(dns::mount)
        .configure(messages::mount)
        .configure(history::mount);
}

//! Reading messages and their events, from Postgres.

mod events;
mod feed;
pub(crate) mod messages;

use actix_web::web::{ServiceConfig, get};

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/v1/events").route(get().to(feed::all)))
        .service(at("/v1/messages/{id}").route(get().to(messages::one)))
        .service(at("/v1/messages/{id}/events").route(get().to(events::of_message)));
}

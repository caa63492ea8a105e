//! Reading messages and their events, from Postgres; and the little that can be done to a message afterwards.

mod by_hand;
mod events;
mod feed;
mod list;
mod messages;

use actix_web::web::{ServiceConfig, get, post};
use domain::address::key_of;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi as Document;

pub(crate) use list::all as list_messages;

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/v1/events").route(get().to(feed::all)))
        .service(at("/v1/messages/{id}").route(get().to(messages::one)))
        .service(at("/v1/messages/{id}/events").route(get().to(events::of_message)))
        .service(at("/v1/messages/{id}/cancel").route(post().to(by_hand::cancel)))
        .service(at("/v1/messages/{id}/retry").route(post().to(by_hand::retry)));
}

/// Reads a parameter that names an address, in the form by which addresses are compared.
fn address(text: &str) -> Result<String, String> {
    let key = key_of(text.trim());
    if key.is_empty() { Err("names no address".to_owned()) } else { Ok(key) }
}

/// What the OpenAPI document says of these routes.
pub(crate) fn document() -> Document {
    let mut document = list::Docs::openapi();
    for part in
        [messages::Docs::openapi(), events::Docs::openapi(), by_hand::Docs::openapi(), feed::Docs::openapi()]
    {
        document.merge(part);
    }
    document
}

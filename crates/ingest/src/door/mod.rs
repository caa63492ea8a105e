//! The door: what application backends and Mailjet's webhooks call. Authenticate, bound, check the shape, publish,
//! answer.

mod flood;
mod idempotency;
mod messages;
mod publish;
mod request;
mod webhooks;

use actix_web::web::{ServiceConfig, post};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi as Document;

pub(crate) use idempotency::Replays;
#[cfg(any(test, fuzzing))]
pub(crate) use idempotency::key;
pub(crate) use messages::send;
pub(crate) use publish::Outlet;
#[cfg(any(test, fuzzing))]
pub(crate) use request::message;

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    // Routes are tried in this order, so the most frequent ones stand first.
    config
        .service(at("/v1/webhooks/email/{provider}/{tenant}").route(post().to(webhooks::receive)))
        .service(at("/v1/messages/batch").route(post().to(messages::send_batch)));
}

/// What the OpenAPI document says of these routes.
pub(crate) fn document() -> Document {
    let mut document = messages::Docs::openapi();
    document.merge(webhooks::Docs::openapi());
    document
}

//! The management API: what a tenant sets and looks after.

mod audit;
mod domains;
mod providers;
mod suppressions;
mod webhook_tokens;

use actix_web::web::{ServiceConfig, delete, get, post, put};

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi as Document;

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/v1/audit-log").route(get().to(audit::list)))
        .service(at("/v1/domains").route(get().to(domains::list)).route(post().to(domains::add)))
        .service(at("/v1/domains/{id}").route(get().to(domains::show)).route(delete().to(domains::remove)))
        .service(at("/v1/domains/{id}/check").route(post().to(domains::check)))
        .service(
            at("/v1/providers/{provider}")
                .route(put().to(providers::set))
                .route(get().to(providers::show))
                .route(delete().to(providers::forget)),
        )
        .service(
            at("/v1/suppressions").route(get().to(suppressions::list)).route(post().to(suppressions::add)),
        )
        .service(at("/v1/suppressions/{email}").route(delete().to(suppressions::remove)))
        .service(
            at("/v1/webhook-tokens")
                .route(get().to(webhook_tokens::list))
                .route(post().to(webhook_tokens::create)),
        )
        .service(at("/v1/webhook-tokens/{id}").route(delete().to(webhook_tokens::revoke)));
}

/// What the OpenAPI document says of these routes.
pub(crate) fn document() -> Document {
    let mut document = audit::Docs::openapi();
    document.merge(domains::Docs::openapi());
    document
}

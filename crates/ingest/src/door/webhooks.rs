//! `POST /v1/webhooks/email/{provider}/{tenant}`: the raw body goes onto the queue as it came. What its items hold is
//! the worker's business, so that nothing in them can make Mailjet repeat, and hold back, a whole group.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::{Publication, Publisher, Queue};
use domain::TenantId;
use domain::api_key::SecretHash;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::body;
use crate::directory::{Directory, Tokens};
use crate::problem::{Code, Problem};

/// The provider whose webhooks are known.
const MAILJET: &str = "mailjet";

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

pub(super) async fn receive(
    request: HttpRequest,
    payload: Payload,
    path: Path<(String, String)>,
    directory: Data<Directory>,
    publisher: Data<Publisher>,
) -> Result<HttpResponse, Problem> {
    let (provider, tenant) = path.into_inner();
    if provider != MAILJET {
        return Err(Problem::new(Code::UnknownProvider, "The only provider so far is mailjet."));
    }
    let tenant: TenantId = tenant.parse().map_err(|_| Problem::no_such("tenant"))?;
    let tokens = directory.tokens(tenant).await?.ok_or_else(|| Problem::no_such("tenant"))?;
    if !admits(&tokens, &request) {
        return Err(Problem::new(Code::Unauthorized, "This tenant's webhooks need a token."));
    }
    let body = body::read(&request, payload, body::WEBHOOK).await?;
    if !is_webhook(&body) {
        return Err(Problem::new(Code::MalformedJson, "A webhook's body is a JSON object or array."));
    }
    publisher
        .publish(Publication {
            queue: Queue::Events,
            message_id: Uuid::now_v7().to_string(),
            content_type: "application/json",
            headers: vec![
                ("raven-tenant", tenant.to_string()),
                ("raven-provider", provider),
                ("raven-received-at", Timestamp::now().to_string()),
            ],
            body,
        })
        .await?;
    Ok(HttpResponse::Ok().finish())
}

/// Whether the request carries one of the tenant's live tokens, or the tenant has none. Every token is compared, and
/// each in constant time.
fn admits(tokens: &Tokens, request: &HttpRequest) -> bool {
    if tokens.is_empty() {
        return true;
    }
    let Some(presented) = basic_password(request).or_else(|| query_token(request)) else { return false };
    let hash = SecretHash::of(presented.as_bytes());
    tokens.iter().filter(|token| **token == hash).count() > 0
}

/// The password of HTTP Basic (RFC 7617), which is how Mailjet sends what stands before the host in a URL.
fn basic_password(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

fn query_token(request: &HttpRequest) -> Option<String> {
    Query::<TokenQuery>::from_query(request.query_string()).ok()?.into_inner().token
}

/// Checks the shape without building anything: neither depth nor numbers can do harm.
fn is_webhook(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    text.trim_ascii_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_are_webhooks_and_nothing_else_is() {
        for good in ["{}", "[]", " [1, null] ", "\n{\"event\":\"sent\"}"] {
            assert!(is_webhook(good.as_bytes()), "{good}");
        }
        for bad in [&b""[..], b" ", b"7", b"null", b"\"{}\"", b"{", b"[1,]", b"{}{}", b"[\xff]"] {
            assert!(!is_webhook(bad), "{bad:?}");
        }
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(is_webhook(deep.as_bytes()));
    }
}

//! `POST /v1/webhooks/email/{provider}/{tenant}`: the raw body goes onto the queue as it came. What its items hold is
//! the worker's business, so that nothing in them can make Mailjet repeat, and hold back, a whole group.

use std::borrow::Cow;
use std::time::Instant;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::{Publication, Queue};
use domain::TenantId;
use domain::api_key::SecretHash;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{OpenApi, PartialSchema, ToSchema};
use uuid::Uuid;

use super::publish::Outlet;
use crate::body;
use crate::directory::{Directory, Tokens, Verdict};
use crate::limits::{Limits, Sought, Strangers};
use crate::openapi::words::ProviderName;
use crate::problem::{Code, Problem};
use crate::refusals::Hooked;

/// The provider whose webhooks are known.
const MAILJET: &str = "mailjet";
/// The byte order mark in UTF-8, with which RFC 8259 (section 8.1) lets a reader bear.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

/// What a provider posts: one event, or any number of them.
struct WebhookBody;

impl PartialSchema for WebhookBody {
    fn schema() -> RefOr<Schema> {
        let either = SchemaType::from_iter([Type::Object, Type::Array]);
        let words = "One event, or any number of them, as the provider writes them.";
        RefOr::T(ObjectBuilder::new().schema_type(either).description(Some(words)).build().into())
    }
}

impl ToSchema for WebhookBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("WebhookBody")
    }
}

#[derive(OpenApi)]
#[openapi(paths(receive))]
pub(super) struct Docs;

/// Takes delivery events from the provider.
///
/// It is answered 200 only once the body is safe in the queue, or on disk where a spool is set, whatever its items hold.
/// Where the tenant has a webhook token, the request must carry it, as the password of Basic authentication or as `token`.
#[utoipa::path(
    post, path = "/v1/webhooks/email/{provider}/{tenant}", tag = "Webhooks", operation_id = "receiveWebhook",
    security((), ("webhookBasic" = []), ("webhookToken" = [])),
    params(
        ("provider" = ProviderName, Path, description = "Who posts."),
        ("tenant" = Uuid, Path, description = "Whose events they are."),
    ),
    request_body(
        content = WebhookBody, description = "At most 10 MiB.", example = json!([{
            "event": "sent", "time": 1_767_225_600, "MessageID": 1_234_567_890_123_456_789_i64, "email": "ada@example.com",
            "CustomID": "019a0000-0000-7000-8000-000000000000"
        }])
    ),
    responses((status = 200, description = "The events are safe in the queue, or on disk where a spool is set."), Hooked),
)]
pub(super) async fn receive(
    request: HttpRequest,
    payload: Payload,
    directory: Data<Directory>,
    limits: Data<Limits>,
    outlet: Data<Outlet>,
) -> Result<HttpResponse, Problem> {
    let part = |name| request.match_info().get(name).unwrap_or_default();
    if part("provider") != MAILJET {
        return Err(Problem::new(Code::UnknownProvider, "The only provider so far is mailjet."));
    }
    let tenant: TenantId = part("tenant").parse().map_err(|_| Problem::no_such("tenant"))?;
    let tokens = tokens(&request, &directory, &limits.strangers, tenant).await?;
    if !admits(&tokens, &request) {
        return Err(Problem::new(Code::Unauthorized, "This tenant's webhooks need a token."));
    }
    let body = body::read(&request, payload, body::WEBHOOK).await?;
    if !is_webhook(&body) {
        return Err(Problem::new(Code::MalformedJson, "A webhook's body is a JSON object or array."));
    }
    outlet
        .put(Publication {
            queue: Queue::Events,
            message_id: Uuid::now_v7().to_string(),
            content_type: "application/json".into(),
            headers: vec![
                ("raven-tenant".into(), tenant.to_string()),
                ("raven-provider".into(), MAILJET.to_owned()),
                ("raven-received-at".into(), Timestamp::now().to_string()),
            ],
            body,
        })
        .await?;
    Ok(HttpResponse::Ok().finish())
}

/// The live tokens of a tenant. One that this process knows is served whatever else comes from the address; where too many
/// were looked for in vain, no other is looked up. That is told as a passing fault, since there may be such a tenant.
async fn tokens(
    request: &HttpRequest,
    directory: &Directory,
    strangers: &Strangers,
    tenant: TenantId,
) -> Result<Tokens, Problem> {
    match directory.known_tokens(tenant) {
        Verdict::Good(tokens) => return Ok(tokens),
        Verdict::Bad => return Err(Problem::no_such("tenant")),
        Verdict::Unknown => {}
    }
    if strangers.barred(Sought::Tenant, request, Instant::now()).is_some() {
        let detail = "Too many tenants that do not exist were asked for from this address. Try again.";
        return Err(Problem::new(Code::DatabaseUnavailable, detail));
    }
    let found = directory.tokens(tenant).await?;
    if found.in_vain() {
        strangers.in_vain(Sought::Tenant, request, Instant::now());
    }
    found.value.ok_or_else(|| Problem::no_such("tenant"))
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
///
/// Bytes inside strings need not be UTF-8. Mailjet passes on what mail servers said, in whatever encoding they said it,
/// and were a whole group refused for that, Mailjet would repeat it, hold back what follows, and in the end suspend the
/// URL. The worker mends them, and can read whatever passes here.
fn is_webhook(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn objects_and_arrays_are_webhooks_and_nothing_else_is() {
        let good = [
            &b"{}"[..],
            b"[]",
            b" [1, null] ",
            b"\n{\"event\":\"sent\"}",
            b"\xef\xbb\xbf[]",
            b"[\"caf\xe9\"]",
            b"{\"\xff\":\"\xf0\x9f\"}",
        ];
        for good in good {
            assert!(is_webhook(good), "{good:?}");
        }
        for bad in
            [&b""[..], b" ", b"7", b"null", b"\"{}\"", b"{", b"[1,]", b"{}{}", b"[\xff]", b"\xef\xbb[]"]
        {
            assert!(!is_webhook(bad), "{bad:?}");
        }
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(is_webhook(deep.as_bytes()));
    }

    /// Pieces of JSON, and bytes that come between them; many rows of these are webhooks, and more are nearly so.
    const PIECES: [&[u8]; 24] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\"a\"",
        b"\"\xff\"",
        b"\\",
        b"\\u00e9",
        b"\\ud800",
        b"1",
        b"-0.0",
        b"1e999",
        b"null",
        b"true",
        b" ",
        b"\n",
        b"\x0c",
        b"\0",
        b"\xe2\x80",
        b"\xc2\x85",
        BYTE_ORDER_MARK,
    ];

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let soup = vec(select(&PIECES[..]), 0..12).prop_map(|pieces| pieces.concat());
        let framed = |open: &'static [u8], close: &'static [u8]| {
            vec(select(&PIECES[..]), 0..5).prop_map(move |pieces| [open, &pieces.concat(), close].concat())
        };
        let body = prop_oneof![
            vec(any::<u8>(), 0..20),
            soup,
            framed(b"[\"", b"\"]"),
            framed(b"{\"a\":", b"}"),
            framed(b"[", b"]")
        ];
        let before: [&[u8]; 5] = [b"", BYTE_ORDER_MARK, b" \n", b"\xef\xbb\xbf ", b" \xef\xbb\xbf"];
        (select(before.to_vec()), body).prop_map(|(before, body)| [before, &body].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_is_accepted_can_be_read_and_nothing_else_is(body in body()) {
            prop_assert_eq!(is_webhook(&body), mailjet::events::items(&body).is_ok());
        }
    }
}

//! The answers other than success, as the OpenAPI document describes them. A handler names those that it can give, in
//! groups that may overlap: [`fold`] makes one answer of all codes that share a status.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::Code;

type Responses = BTreeMap<String, RefOr<Response>>;

/// What any request with an API key may meet.
pub(crate) struct Usual;
/// What a send may meet.
pub(crate) struct Sending;
/// What a webhook may meet.
pub(crate) struct Hooked;
/// There is no such thing in this tenant.
pub(crate) struct Missing;
/// The path names no provider that is known.
pub(crate) struct Stranger;
/// The body or the parameters have faults.
pub(crate) struct Invalid;
/// The parameters of a list have faults.
pub(crate) struct InvalidQuery;
/// Not possible in the present state.
pub(crate) struct Conflict;
/// The provider does not do it, or is away.
pub(crate) struct AtProvider;

/// Each code as an answer of its own, under a key that is no status yet, so that groups do not displace each other.
fn of(codes: &[Code]) -> Responses {
    let key = |code: &Code| format!("{} {}", code.status().as_u16(), code.as_str());
    codes.iter().map(|code| (key(code), RefOr::T(Response::new("")))).collect()
}

macro_rules! refusals {
    ($($name:ident: $($code:ident),+;)*) => {
        $(impl IntoResponses for $name {
            fn responses() -> Responses {
                of(&[$(Code::$code),+])
            }
        })*
    };
}

refusals! {
    Usual: Unauthorized, Forbidden, RateLimited, Internal, DatabaseUnavailable;
    Sending: IdempotencyMismatch, QueueUnavailable;
    Hooked: MalformedJson, RequestTimeout, PayloadTooLarge, Unauthorized, NotFound, UnknownProvider, Internal,
        QueueUnavailable, DatabaseUnavailable;
    Missing: NotFound;
    Stranger: UnknownProvider;
    Invalid: MalformedJson, RequestTimeout, PayloadTooLarge, ValidationFailed;
    InvalidQuery: ValidationFailed;
    Conflict: Conflict;
    AtProvider: ProviderRefused, ProviderUnavailable;
}

/// Makes answers of the codes that [`of`] has noted: each set of codes that share a status once, among the components.
pub(crate) fn fold(document: &mut OpenApi) {
    let mut shared = BTreeMap::new();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let all = std::mem::take(&mut operation.responses.responses);
        let (noted, mut responses): (Responses, Responses) =
            all.into_iter().partition(|(key, _)| key.contains(' '));
        let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
        for code in Code::ALL {
            let status = code.status().as_u16();
            if noted.contains_key(&format!("{status} {}", code.as_str())) {
                by_status.entry(status).or_default().push(code);
            }
        }
        for (status, codes) in by_status {
            let name = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(".");
            responses.insert(status.to_string(), RefOr::Ref(Ref::from_response_name(&name)));
            shared.entry(name).or_insert_with(|| RefOr::T(describe(status, &codes)));
        }
        operation.responses.responses = responses;
    }
    document.components.get_or_insert_default().responses.extend(shared);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn describe(status: u16, codes: &[Code]) -> Response {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let names = codes.iter().map(|code| code.as_str());
    let code = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(names));
    let narrowed = ObjectBuilder::new().property("code", code);
    let problem = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed);
    let content = ContentBuilder::new().schema(Some(problem)).example(example(codes)).build();
    let response =
        ResponseBuilder::new().description(lines.join(" ")).content("application/problem+json", content);
    headers(status)
        .into_iter()
        .fold(response, |response, (name, header)| response.header(name, header))
        .build()
}

fn example(codes: &[Code]) -> Option<serde_json::Value> {
    let code = codes.first()?;
    let mut problem = json!({
        "type": "about:blank", "title": code.title(), "status": code.status().as_u16(), "code": code.as_str(),
        "detail": "What is wrong with this request, and what to do."
    });
    if *code == Code::ValidationFailed {
        problem["detail"] = json!("/to is needed: at least one recipient");
        problem["errors"] = json!([{"pointer": "/to", "detail": "is needed: at least one recipient"}]);
    }
    Some(problem)
}

/// The headers that come with a status.
fn headers(status: u16) -> Vec<(&'static str, Header)> {
    let number = |least: isize, words: &str| {
        let whole = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(least));
        HeaderBuilder::new().schema(Some(whole)).description(Some(words)).build()
    };
    let text = |words: &str| HeaderBuilder::new().description(Some(words)).build();
    match status {
        401 => vec![("WWW-Authenticate", text("How to say who is calling."))],
        429 => vec![
            ("Retry-After", number(1, "Seconds after which to try again.")),
            ("RateLimit-Limit", number(0, "Requests that the limit allows.")),
            ("RateLimit-Remaining", number(0, "Requests that are left of it.")),
            ("RateLimit-Reset", number(0, "Seconds until the limit is whole again.")),
        ],
        503 => vec![("Retry-After", number(1, "Seconds after which to try again."))],
        _ => Vec::new(),
    }
}

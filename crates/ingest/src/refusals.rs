//! The answers other than success, as the OpenAPI document describes them. A handler names those that it can give.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::Code;

type Responses = BTreeMap<String, RefOr<Response>>;

/// What any request with an API key may meet.
pub(crate) struct Usual;
/// There is no such thing in this tenant.
pub(crate) struct Missing;
/// The body or the parameters have faults.
pub(crate) struct Invalid;
/// The parameters have faults; there is no body.
pub(crate) struct InvalidParameters;
/// Not possible in the present state.
pub(crate) struct Conflict;
/// The provider does not do it, or is away.
pub(crate) struct AtProvider;
/// What a call to the provider may meet. Stands last: of two lists with the same status the later one is shown, so this one
/// names what the others have there.
pub(crate) struct Upstream;

fn of(codes: &[Code]) -> Responses {
    let mut by_status = BTreeMap::<String, Vec<&Code>>::new();
    for code in codes {
        by_status.entry(code.status().as_u16().to_string()).or_default().push(code);
    }
    let describe = |codes: Vec<&Code>| {
        let lines: Vec<String> =
            codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new()
            .description(lines.join(" "))
            .content("application/problem+json", problem)
            .build()
    };
    by_status.into_iter().map(|(status, codes)| (status, RefOr::T(describe(codes)))).collect()
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
    Missing: NotFound;
    Invalid: MalformedJson, RequestTimeout, PayloadTooLarge, ValidationFailed;
    InvalidParameters: ValidationFailed;
    Conflict: Conflict;
    AtProvider: ProviderRefused, ProviderUnavailable;
    Upstream: ValidationFailed, ProviderRefused, DatabaseUnavailable, ProviderUnavailable;
}

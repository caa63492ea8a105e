//! Errors as their readers get them: RFC 9457 `application/problem+json`, with a code from a closed set.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use broker::PublishError;
use serde::Serialize;
use service::tasks::describe;
use utoipa::ToSchema;

/// Seconds after which a caller may try again what was not accepted.
const TRY_AGAIN: &str = "1";

/// What is wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    MalformedJson,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    IdempotencyMismatch,
    Conflict,
    PayloadTooLarge,
    ValidationFailed,
    UnknownProvider,
    ProviderRefused,
    RateLimited,
    Internal,
    QueueUnavailable,
    DatabaseUnavailable,
    ProviderUnavailable,
}

impl Code {
    /// Every code.
    pub(crate) const ALL: [Self; 17] = [
        Self::MalformedJson,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::IdempotencyMismatch,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::ValidationFailed,
        Self::UnknownProvider,
        Self::ProviderRefused,
        Self::RateLimited,
        Self::Internal,
        Self::QueueUnavailable,
        Self::DatabaseUnavailable,
        Self::ProviderUnavailable,
    ];

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::IdempotencyMismatch | Self::Conflict => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ValidationFailed | Self::UnknownProvider | Self::ProviderRefused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::QueueUnavailable | Self::DatabaseUnavailable | Self::ProviderUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The name in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::ValidationFailed => "validation_failed",
            Self::UnknownProvider => "unknown_provider",
            Self::ProviderRefused => "provider_refused",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::QueueUnavailable => "queue_unavailable",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::ProviderUnavailable => "provider_unavailable",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not JSON",
            Self::Unauthorized => "No valid API key or token",
            Self::Forbidden => "The API key does not cover this",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "The request did not arrive in time",
            Self::IdempotencyMismatch => "The idempotency key belongs to another request",
            Self::Conflict => "Not possible in the present state",
            Self::PayloadTooLarge => "The body is too large",
            Self::ValidationFailed => "The request has faults",
            Self::UnknownProvider => "Unknown provider",
            Self::ProviderRefused => "The provider refused this",
            Self::RateLimited => "Too many requests",
            Self::Internal => "Internal error",
            Self::QueueUnavailable => "The queue is not available",
            Self::DatabaseUnavailable => "The database is not available",
            Self::ProviderUnavailable => "The provider is not available",
        }
    }
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Where: a JSON pointer (RFC 6901) into the body, `?name` for a parameter, or the name of a header.
    #[schema(example = "/to")]
    pub(crate) pointer: String,
    /// What.
    #[schema(example = "is needed: at least one recipient")]
    pub(crate) detail: String,
}

/// An error as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    errors: Vec<Fault>,
}

/// An error (RFC 9457, `application/problem+json`).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Wire<'a> {
    /// Always `about:blank`; `code` tells problems apart.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// What is wrong, in general.
    #[schema(example = "Not found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// What is wrong with this request, and what to do.
    #[schema(example = "There is no such message.")]
    detail: &'a str,
    /// What is wrong, for programs.
    code: Code,
    /// Every fault of the request, if that is what is wrong.
    #[schema(min_items = 1)]
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new() }
    }

    /// Of a request with these faults.
    pub(crate) fn invalid(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{} {}", only.pointer, only.detail).trim().to_owned(),
            several => format!("{} faults; see errors.", several.len()),
        };
        Self { code: Code::ValidationFailed, detail, errors }
    }

    pub(crate) fn no_such(thing: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {thing}."))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.code.status();
        let mut response = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, TRY_AGAIN));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        let body = Wire {
            r#type: "about:blank",
            title: self.code.title(),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code,
            errors: &self.errors,
        };
        response.json(body).map_into_boxed_body_with(CONTENT_TYPE)
    }
}

/// Sets the media type that `json` does not.
trait WithMediaType {
    fn map_into_boxed_body_with(self, name: actix_web::http::header::HeaderName) -> Self;
}

impl WithMediaType for HttpResponse {
    fn map_into_boxed_body_with(mut self, name: actix_web::http::header::HeaderName) -> Self {
        let value = actix_web::http::header::HeaderValue::from_static("application/problem+json");
        self.headers_mut().insert(name, value);
        self
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let detail = match error {
            PublishError::Unconfirmed => {
                "The queue did not confirm in time. Send it again, with the same Idempotency-Key if it is a message."
            }
            PublishError::Down
            | PublishError::Blocked
            | PublishError::Busy
            | PublishError::Silent
            | PublishError::Refused => "Nothing was accepted. Try again.",
        };
        Self::new(Code::QueueUnavailable, detail)
    }
}

impl From<provisioning::Error> for Problem {
    fn from(error: provisioning::Error) -> Self {
        use provisioning::{Error, RestError};
        let code = match error {
            Error::Store(fault) => return fault.into(),
            Error::NoAccount | Error::Changed => Code::Conflict,
            Error::Mailjet(RestError::Unauthorized(_) | RestError::Refused { .. }) => Code::ProviderRefused,
            Error::Mailjet(RestError::RateLimited | RestError::Unavailable(_)) => Code::ProviderUnavailable,
        };
        Self::new(code, sentence(&error.to_string()))
    }
}

/// An error's words as a sentence.
fn sentence(words: &str) -> String {
    let mut chars = words.trim_end_matches(['.', ' ']).chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if error.is_transient() {
            tracing::debug!(fault = describe(&error), "the database is not available");
            return Self::new(Code::DatabaseUnavailable, "The database is not available. Try again.");
        }
        tracing::error!(fault = describe(&error), "a request failed");
        Self::new(Code::Internal, "Something is wrong here; it has been logged.")
    }
}

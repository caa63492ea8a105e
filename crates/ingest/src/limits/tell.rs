//! Telling callers how they stand, in the fields of draft-ietf-httpapi-ratelimit-headers-06. Later drafts put all of it
//! into one structured field, which few clients read yet.

use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpMessage as _, HttpRequest};

use super::quota::Standing;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Keeps a standing with its request until the answer is written.
pub(crate) fn keep(request: &HttpRequest, standing: Standing) {
    request.extensions_mut().insert(standing);
}

/// Writes the standing that was kept with a request into its answer.
pub(crate) fn tell<B>(response: &mut ServiceResponse<B>) {
    let standing = response.request().extensions().get::<Standing>().copied();
    if let Some(standing) = standing {
        write(standing, response.headers_mut());
    }
}

fn write(standing: Standing, headers: &mut HeaderMap) {
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(seconds(standing.full_in)));
    if let Some(wait) = standing.wait {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait).max(1)));
    }
}

/// Whole seconds after which it is surely so.
pub(super) fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_whole_seconds_and_never_too_short() {
        let mut headers = HeaderMap::new();
        let (full_in, wait) = (Duration::from_millis(2001), Some(Duration::from_nanos(1)));
        write(Standing { limit: 5, remaining: 0, full_in, wait }, &mut headers);
        let told = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"]
            .map(|name| headers.get(name).unwrap().to_str().unwrap());
        assert_eq!(told, ["5", "0", "3", "1"]);
        let mut headers = HeaderMap::new();
        write(Standing { limit: 5, remaining: 5, full_in: Duration::ZERO, wait: None }, &mut headers);
        assert_eq!(headers.get("ratelimit-reset").unwrap(), "0");
        assert!(!headers.contains_key("retry-after"));
    }
}

//! Who is let in, and how often: Basic authentication and the rate of calls per API key.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::Instant;

use crate::{
    rest::reply::RestError,
    settings::{Credentials, Settings},
    util::lock,
};

/// The time over which calls are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// API keys whose calls are counted at one time.
const MOST_KEYS: usize = 10_000;
/// What Mailjet tells anyone without a good pair of key and secret.
pub(crate) const UNAUTHORIZED: &str = "API key authentication/authorization failure. You may be unauthorized \
    to access the API or your API key may be inactive. Visit API keys management section to check your keys.";
/// What Mailjet tells an account that it has blocked.
pub(crate) const BLOCKED: &str = "Your account has been temporarily blocked. Please contact our support team";

/// The gate that every API call passes.
#[derive(Debug)]
pub(crate) struct Gate {
    credentials: Credentials,
    rate_limit: u32,
    windows: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Gate {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            credentials: settings.credentials.clone(),
            rate_limit: settings.rate_limit,
            windows: Mutex::default(),
        }
    }

    /// The API key of a request with a good pair.
    pub(crate) fn admit(&self, request: &HttpRequest) -> Option<String> {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
        let (key, secret) = pair.split_once(':')?;
        self.credentials.admit(key, secret).then(|| key.to_owned())
    }

    /// Whether the API key may make one more call of the send endpoint at this time; counts it.
    pub(crate) fn within_rate(&self, api_key: &str, now: Instant) -> bool {
        if self.rate_limit == 0 {
            return true;
        }
        let mut windows = lock(&self.windows);
        if windows.len() >= MOST_KEYS {
            windows.retain(|_, (start, _)| now.duration_since(*start) < WINDOW);
        }
        let (start, calls) = windows.entry(api_key.to_owned()).or_insert((now, 0));
        if now.duration_since(*start) >= WINDOW {
            (*start, *calls) = (now, 0);
        }
        *calls += 1;
        *calls <= self.rate_limit
    }
}

/// The API key of an authenticated call of the REST resources.
#[derive(Debug)]
pub(crate) struct ApiKey(pub(crate) String);

impl FromRequest for ApiKey {
    type Error = RestError;
    type Future = Ready<Result<Self, RestError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.app_data::<web::Data<Arc<Gate>>>();
        let key = gate.and_then(|gate| gate.admit(request));
        ready(key.map(Self).ok_or_else(|| RestError::new(401, UNAUTHORIZED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_counted_per_key_and_window() {
        let gate = Gate::new(&Settings { rate_limit: 2, ..Settings::default() });
        let now = Instant::now();
        assert!(gate.within_rate("a", now) && gate.within_rate("a", now));
        assert!(!gate.within_rate("a", now));
        assert!(gate.within_rate("b", now));
        assert!(gate.within_rate("a", now + WINDOW));
    }
}

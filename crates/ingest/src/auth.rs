//! Who is calling, and whether they call too often.

use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Actor, TenantId};
use store::directory::KeyRecord;

use crate::directory::{Directory, Verdict};
use crate::limits::{self, Class, Limits, Sought, Standing, Strangers};
use crate::problem::{Code, Problem};

/// The tenant whose key came with a request, and what that key covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    /// The key's public part.
    pub(crate) key: KeyId,
    /// Whether mail stays in the provider's sandbox.
    pub(crate) test: bool,
}

/// Finds the caller by `X-Raven-Key` or `Authorization: Bearer`, counts the request, and checks that the key covers
/// `needed`.
pub(crate) async fn caller(request: &HttpRequest, needed: Scope) -> Result<Caller, Problem> {
    let record = authenticate(request).await?;
    let caller = Caller::of(&record);
    count(request, caller, Class::Requests, 1)?;
    if needed == Scope::Manage && record.scope != Scope::Manage {
        return Err(Problem::new(Code::Forbidden, "This needs a key of scope manage."));
    }
    Ok(caller)
}

/// Finds the caller who sends one message, and counts it. Every key covers sending.
pub(crate) async fn sender(request: &HttpRequest) -> Result<Caller, Problem> {
    let caller = Caller::of(&authenticate(request).await?);
    count(request, caller, Class::Sends, 1)?;
    Ok(caller)
}

/// Finds the caller who sends a batch, which is to be counted by [`count_batch`] once it was read. Who could not send a
/// single message is refused before that.
pub(crate) async fn batch_sender(request: &HttpRequest) -> Result<Caller, Problem> {
    let caller = Caller::of(&authenticate(request).await?);
    let limits = request.app_data::<Data<Limits>>();
    let of = (caller.key, caller.tenant);
    match limits.and_then(|limits| limits.exhausted(Class::Sends, of, Instant::now())) {
        Some(standing) => judge(request, Class::Sends, standing).map(|()| caller),
        None => Ok(caller),
    }
}

/// Counts the messages of a batch, all of them or none. What could not be read as a batch counts as one message.
pub(crate) fn count_batch<T>(
    request: &HttpRequest,
    caller: Caller,
    read: &Result<Vec<T>, Problem>,
) -> Result<(), Problem> {
    let messages = read.as_ref().map_or(1, Vec::len);
    count(request, caller, Class::Sends, u32::try_from(messages).unwrap_or(u32::MAX))
}

impl Caller {
    fn of(record: &KeyRecord) -> Self {
        Self { tenant: record.tenant, key: record.id, test: record.test }
    }

    /// Who the audit log says it was.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Key(self.key)
    }
}

/// The record of the key that came with a request. A good key that this process knows is served whatever else comes from
/// its address; where too much was looked for in vain, nothing is looked up for others.
async fn authenticate(request: &HttpRequest) -> Result<KeyRecord, Problem> {
    let Some(directory) = request.app_data::<Data<Directory>>() else { return Err(refused(request)) };
    let key = presented(request).and_then(|text| ApiKey::parse(text).ok());
    let Some(key) = key else { return Err(refused(request)) };
    match directory.known(&key) {
        Verdict::Good(record) => return Ok(record),
        Verdict::Bad => return Err(refused(request)),
        Verdict::Unknown => {}
    }
    let strangers = request.app_data::<Data<Limits>>().map(|limits| &limits.strangers);
    let barred = |strangers: &Strangers| strangers.barred(Sought::Key, request, Instant::now());
    if let Some(standing) = strangers.and_then(barred) {
        return Err(distrusted(request, standing));
    }
    let found = directory.key(&key).await?;
    if let Some(strangers) = strangers.filter(|_| found.in_vain()) {
        strangers.in_vain(Sought::Key, request, Instant::now());
    }
    found.value.ok_or_else(|| refused(request))
}

fn presented(request: &HttpRequest) -> Option<&str> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    header("x-raven-key").or_else(|| {
        let (scheme, token) = header(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    })
}

/// There is no good key in the request. That is counted, for its address.
fn refused(request: &HttpRequest) -> Problem {
    let limits = request.app_data::<Data<Limits>>();
    if let Some(standing) = limits.and_then(|limits| limits.strangers.refused(request, Instant::now())) {
        return distrusted(request, standing);
    }
    let detail = "Send a valid API key in X-Raven-Key, or in Authorization as a Bearer token.";
    Problem::new(Code::Unauthorized, detail)
}

fn distrusted(request: &HttpRequest, standing: Standing) -> Problem {
    limits::keep(request, standing);
    Problem::new(Code::RateLimited, "Too many requests without a valid API key came from this address.")
}

/// Counts what a caller asks for, which must not be too much.
fn count(request: &HttpRequest, caller: Caller, class: Class, tokens: u32) -> Result<(), Problem> {
    let limits = request.app_data::<Data<Limits>>();
    let of = (caller.key, caller.tenant);
    match limits.and_then(|limits| limits.count(class, of, tokens, Instant::now())) {
        Some(standing) => judge(request, class, standing),
        None => Ok(()),
    }
}

/// Tells the caller how it stands, and refuses where that is too much.
fn judge(request: &HttpRequest, class: Class, standing: Standing) -> Result<(), Problem> {
    limits::keep(request, standing);
    if standing.wait.is_none() {
        return Ok(());
    }
    let detail = match class {
        Class::Sends => {
            "Too many messages are being sent. None of this request was accepted; see Retry-After."
        }
        Class::Requests => "Too many requests; see Retry-After.",
    };
    Err(Problem::new(Code::RateLimited, detail))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use actix_web::test::TestRequest;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_header_panics(bytes in vec(any::<u8>(), 0..80), bearer in any::<bool>(), scheme in "[Bb]earer ?") {
            let bytes = if bearer { [scheme.as_bytes(), &bytes].concat() } else { bytes };
            let name = if bearer { AUTHORIZATION } else { HeaderName::from_static("x-raven-key") };
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let request = TestRequest::default().insert_header((name, value)).to_http_request();
            let _ = presented(&request).map(ApiKey::parse);
        }
    }
}

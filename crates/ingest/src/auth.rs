//! Who is calling.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use domain::api_key::{ApiKey, KeyId, Scope};
use domain::{Actor, TenantId};

use crate::directory::Directory;
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

/// Finds the caller by `X-Raven-Key` or `Authorization: Bearer`, and checks that the key covers `needed`.
pub(crate) async fn caller(request: &HttpRequest, needed: Scope) -> Result<Caller, Problem> {
    let refused = || {
        let detail = "Send a valid API key in X-Raven-Key, or in Authorization as a Bearer token.";
        Problem::new(Code::Unauthorized, detail)
    };
    let presented = presented(request).ok_or_else(refused)?;
    let key = ApiKey::parse(presented).map_err(|_| refused())?;
    let directory = request.app_data::<Data<Directory>>().ok_or_else(refused)?;
    let record = directory.key(&key).await?.ok_or_else(refused)?;
    if needed == Scope::Manage && record.scope != Scope::Manage {
        return Err(Problem::new(Code::Forbidden, "This needs a key of scope manage."));
    }
    Ok(Caller { tenant: record.tenant, key: record.id, test: record.test })
}

impl Caller {
    /// Who the audit log says it was.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Key(self.key)
    }
}

fn presented(request: &HttpRequest) -> Option<&str> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    header("x-raven-key").or_else(|| {
        let (scheme, token) = header(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    })
}

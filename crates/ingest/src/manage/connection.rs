//! `POST /v1/providers/mailjet/test`: whether the tenant's account works.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use domain::api_key::Scope;
use provisioning::connection::{Check, CheckName};
use provisioning::{Error, Provisioner};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::at_provider::in_time;
use super::providers::known;
use crate::auth::caller;
use crate::openapi::words::ProviderName;
use crate::problem::Problem;
use crate::refusals::{AtProvider, Missing, Stranger, Usual};

/// Whether an account works.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionTest {
    /// Whether every check went well.
    ok: bool,
    /// What was looked at.
    checks: Vec<ConnectionCheck>,
}

/// How one thing was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionCheck {
    /// What was looked at.
    name: ConnectionCheckName,
    /// Whether it is well.
    ok: bool,
    /// What is so, and what to do.
    #[schema(example = "Mailjet accepts the API key and the secret.")]
    detail: String,
}

/// What is looked at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConnectionCheckName {
    /// Mailjet accepts the API key and its secret.
    Credentials,
    /// Mail may come from `from_email`.
    FromEmail,
    /// No waiting message has met the account's limit of what it may send in a time.
    SendingLimit,
}

impl From<Check> for ConnectionCheck {
    fn from(check: Check) -> Self {
        let name = match check.name {
            CheckName::Credentials => ConnectionCheckName::Credentials,
            CheckName::FromEmail => ConnectionCheckName::FromEmail,
            CheckName::SendingLimit => ConnectionCheckName::SendingLimit,
        };
        Self { name, ok: check.ok, detail: check.detail }
    }
}

#[derive(OpenApi)]
#[openapi(paths(test))]
pub(super) struct Docs;

/// Tests the connection to Mailjet.
///
/// Looks at the credentials, at `from_email` and at sending limits, without sending mail. That something is not well, or
/// that Mailjet does not answer, is told in the checks; the answer is 200 all the same.
#[utoipa::path(
    post, path = "/v1/providers/{provider}/test", tag = "Providers", operation_id = "testProvider",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    responses((status = 200, description = "How the account was found.", body = ConnectionTest), Usual, Missing, Stranger, AtProvider),
)]
pub(super) async fn test(
    request: HttpRequest,
    path: Path<String>,
    provisioner: Data<Provisioner>,
) -> Result<Json<ConnectionTest>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    let checks = match in_time(provisioner.test_connection(caller.tenant)).await? {
        Err(Error::NoAccount) => return Err(Problem::no_such("provider")),
        other => other?,
    };
    let ok = checks.iter().all(|check| check.ok);
    Ok(Json(ConnectionTest { ok, checks: checks.into_iter().map(ConnectionCheck::from).collect() }))
}

//! `/v1/suppressions`: addresses that get no more mail from the tenant.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::address::key_of;
use domain::api_key::Scope;
use domain::{EmailAddress, SuppressionReason};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::Store;
use store::suppressions::{self, Filter, Suppression};
use utoipa::{IntoParams, OpenApi, ToSchema};
use uuid::Uuid;

use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::openapi::words;
use crate::page::{Page, Paging, Parameters, cut, page};
use crate::problem::{Fault, Problem};
use crate::refusals::{Invalid, InvalidQuery, Missing, Usual};

/// An address that gets no more mail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suppression)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// The address as it was first seen.
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(value_type = words::SuppressionReason)]
    reason: &'static str,
    /// Since when it is listed.
    created_at: Timestamp,
    /// The event that gave the reason; null where it was put there by hand.
    #[schema(required)]
    event_id: Option<Uuid>,
}

/// An address to put on the list.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com"}))]
#[expect(dead_code, reason = "it only describes what `parse` reads")]
struct NewSuppression {
    /// The address. Case does not count.
    #[schema(format = "email")]
    email: String,
    /// Why; `manual` when none is given.
    #[schema(value_type = Option<words::SuppressionReason>)]
    reason: Option<String>,
}

/// What is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `list` reads")]
struct Asked {
    /// Only this address.
    #[param(nullable = false, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "ada@example.com")]
    email: Option<String>,
    /// Only addresses listed for this reason.
    #[param(value_type = Option<words::SuppressionReason>, nullable = false)]
    reason: Option<String>,
}

#[derive(OpenApi)]
#[openapi(paths(list, add, remove))]
pub(super) struct Docs;

impl From<Suppression> for Row {
    fn from(suppression: Suppression) -> Self {
        Self {
            email: suppression.email,
            reason: suppression.reason.as_str(),
            created_at: suppression.created_at,
            event_id: suppression.event_id,
        }
    }
}

/// Lists suppressed addresses, in the order of the alphabet.
#[utoipa::path(
    get, path = "/v1/suppressions", tag = "Suppressions", operation_id = "listSuppressions", params(Asked, Paging),
    responses((status = 200, description = "A page of addresses.", body = Page<Row>), Usual, InvalidQuery),
)]
pub(super) async fn list(request: HttpRequest, store: Data<Store>) -> Result<Json<Page<Row>>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut parameters = Parameters::of(&request);
    let filter = Filter {
        email_key: parameters.take("email", |text| Ok(key_of(text))),
        reason: parameters
            .take("reason", |text| text.parse::<SuppressionReason>().map_err(|fault| fault.to_string())),
        after: parameters.cursor(|text| Some(text.to_owned())),
    };
    let limit = parameters.limit();
    parameters.finish()?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = ask(suppressions::list(&store, caller.tenant, &filter, most)).await?;
    let more = cut(&mut rows, limit);
    Ok(Json(page(rows, more, |row| row.email_key.clone(), Row::from)))
}

/// Suppresses an address.
///
/// One that is listed already keeps its date, and the stronger of both reasons.
#[utoipa::path(
    post, path = "/v1/suppressions", tag = "Suppressions", operation_id = "addSuppression",
    request_body(content = NewSuppression, description = "At most 64 KiB."),
    responses((
        status = 200, description = "The address as it is listed now.", body = Row,
        links(("remove" = (operation_id = "removeSuppression", parameters(("email" = "$response.body#/email")))))
    ), Usual, Invalid, Missing),
)]
pub(super) async fn add(
    request: HttpRequest,
    payload: Payload,
    store: Data<Store>,
) -> Result<Json<Row>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let body = body::json(&request, payload, body::MANAGE).await?;
    let (email, reason) = parse(&body).map_err(Problem::invalid)?;
    ask(suppressions::add(&store, caller.tenant, &email, reason, caller.actor())).await?;
    let filter = Filter { email_key: Some(email.key()), ..Filter::default() };
    let row = ask(suppressions::list(&store, caller.tenant, &filter, 1)).await?.pop();
    row.map(|row| Json(row.into())).ok_or_else(|| Problem::no_such("suppression"))
}

/// Lets an address get mail again.
#[utoipa::path(
    delete, path = "/v1/suppressions/{email}", tag = "Suppressions", operation_id = "removeSuppression",
    params(("email" = String, Path, description = "The address; case does not count.", min_length = 1, example = "ada@example.com")),
    responses((status = 204, description = "It is off the list."), Usual, Missing),
)]
pub(super) async fn remove(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    if path.chars().any(char::is_control) {
        return Err(Problem::no_such("suppression"));
    }
    if ask(suppressions::delete(&store, caller.tenant, &key_of(&path), caller.actor())).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::no_such("suppression"))
    }
}

fn parse(body: &Value) -> Result<(EmailAddress, SuppressionReason), Vec<Fault>> {
    let fault = |pointer: &str, detail: String| Fault { pointer: pointer.to_owned(), detail };
    let Some(object) = body.as_object() else { return Err(vec![fault("", "is not an object".to_owned())]) };
    let mut faults: Vec<Fault> = object
        .keys()
        .filter(|name| !matches!(name.as_str(), "email" | "reason"))
        .map(|name| fault(&format!("/{name}"), "is not a field that is known here".to_owned()))
        .collect();
    let email = match object.get("email").and_then(Value::as_str) {
        None => Err(fault("/email", "is needed".to_owned())),
        Some(text) => EmailAddress::parse(text).map_err(|wrong| fault("/email", wrong.to_string())),
    };
    let reason = match object.get("reason") {
        None | Some(Value::Null) => Ok(SuppressionReason::Manual),
        Some(value) => value
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|wrong: domain::suppression::UnknownReason| fault("/reason", wrong.to_string())),
    };
    match (email, reason) {
        (Ok(email), Ok(reason)) if faults.is_empty() => Ok((email, reason)),
        (email, reason) => {
            faults.extend(email.err());
            faults.extend(reason.err());
            Err(faults)
        }
    }
}

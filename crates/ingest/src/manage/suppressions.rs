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
use uuid::Uuid;

use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::page::{Page, Parameters, cut, page};
use crate::problem::{Fault, Problem};

/// A row as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    email: String,
    reason: &'static str,
    created_at: Timestamp,
    event_id: Option<Uuid>,
}

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

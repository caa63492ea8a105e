//! `/v1/domains`: what the tenant sends from, and what has to be published for it.

use std::time::Duration;

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::api_key::Scope;
use domain::{DomainId, DomainName};
use provisioning::Provisioner;
use serde_json::Value;
use store::{Store, domains};
use utoipa::OpenApi;

use self::view::{NewDomain, SendingDomain};
use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::page::{Page, Parameters, cut, page};
use crate::problem::{Code, Fault, Problem};
use crate::refusals::{AtProvider, Conflict, Invalid, InvalidQuery, Missing, Usual};

mod view;

/// How long a caller waits for all that has to be asked of Mailjet and the database.
const PATIENCE: Duration = Duration::from_secs(45);

#[derive(OpenApi)]
#[openapi(paths(add, list, show, check, remove))]
pub(super) struct Docs;

/// Adds a sending domain.
///
/// Registers it at Mailjet and answers the three records to publish. A domain that is here already is answered as it is,
/// so this may be repeated. Workers look at it by themselves: every 30 seconds for ten minutes, then every hour.
#[utoipa::path(
    post, path = "/v1/domains", tag = "Sending domains", operation_id = "addDomain",
    request_body = NewDomain,
    responses(
        (status = 200, description = "The domain.", body = SendingDomain),
        Usual, Invalid, Conflict, AtProvider,
    ),
)]
pub(super) async fn add(
    request: HttpRequest,
    payload: Payload,
    provisioner: Data<Provisioner>,
) -> Result<Json<SendingDomain>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let body = body::json(&request, payload, body::MANAGE).await?;
    let name = parse(&body).map_err(Problem::invalid)?;
    let domain = provision(provisioner.add_domain(caller.tenant, &name, caller.actor())).await?;
    Ok(Json(domain.into()))
}

/// Lists the sending domains, by name.
#[utoipa::path(
    get, path = "/v1/domains", tag = "Sending domains", operation_id = "listDomains",
    params(
        ("limit" = Option<u16>, Query, description = "Domains of a page.", minimum = 1, maximum = 500),
        (
            "cursor" = Option<String>, Query, format = "cursor",
            description = "The `nextCursor` of the page before."
        ),
    ),
    responses((status = 200, description = "A page of domains.", body = Page<SendingDomain>), Usual, InvalidQuery),
)]
pub(super) async fn list(
    request: HttpRequest,
    store: Data<Store>,
) -> Result<Json<Page<SendingDomain>>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut parameters = Parameters::of(&request);
    let after: Option<String> = parameters.cursor(|text| Some(text.to_owned()));
    let limit = parameters.limit();
    parameters.finish()?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = ask(domains::list(&store, caller.tenant, after.as_deref(), most)).await?;
    let more = cut(&mut rows, limit);
    Ok(Json(page(rows, more, |row| row.name.to_string(), SendingDomain::from)))
}

/// Shows a sending domain, as the last look found it.
#[utoipa::path(
    get, path = "/v1/domains/{id}", tag = "Sending domains", operation_id = "getDomain",
    params(("id" = uuid::Uuid, Path, description = "The domain's id.")),
    responses((status = 200, description = "The domain.", body = SendingDomain), Usual, Missing),
)]
pub(super) async fn show(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<Json<SendingDomain>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let id = id_of(&path)?;
    let domain = ask(domains::get(&store, caller.tenant, id)).await?;
    domain.map(|domain| Json(domain.into())).ok_or_else(none)
}

/// Has Mailjet look at a sending domain now.
///
/// Answers the domain as it is after that. Two looks at the same domain are at least two seconds apart: who asks sooner
/// waits, and gets the answer of a look that began after the question.
#[utoipa::path(
    post, path = "/v1/domains/{id}/check", tag = "Sending domains", operation_id = "checkDomain",
    params(("id" = uuid::Uuid, Path, description = "The domain's id.")),
    responses(
        (status = 200, description = "The domain, as it was found just now.", body = SendingDomain),
        Usual, Missing, Conflict, AtProvider,
    ),
)]
pub(super) async fn check(
    request: HttpRequest,
    path: Path<String>,
    provisioner: Data<Provisioner>,
) -> Result<Json<SendingDomain>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let id = id_of(&path)?;
    let domain = provision(provisioner.check_domain(caller.tenant, id, caller.actor())).await?;
    domain.map(|domain| Json(domain.into())).ok_or_else(none)
}

/// Removes a sending domain, here and at Mailjet.
///
/// Mailjet then takes no more mail from addresses that were let pass for the domain's sake. Addresses that are senders of
/// their own at Mailjet stay as they are. One that is gone at Mailjet already is removed here.
#[utoipa::path(
    delete, path = "/v1/domains/{id}", tag = "Sending domains", operation_id = "removeDomain",
    params(("id" = uuid::Uuid, Path, description = "The domain's id.")),
    responses((status = 204, description = "It is gone."), Usual, Missing, AtProvider),
)]
pub(super) async fn remove(
    request: HttpRequest,
    path: Path<String>,
    provisioner: Data<Provisioner>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let id = id_of(&path)?;
    if provision(provisioner.remove_domain(caller.tenant, id, caller.actor())).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(none())
    }
}

/// Waits for the work, not for ever: the database may be frozen. What was begun can be repeated.
async fn provision<T>(work: impl Future<Output = Result<T, provisioning::Error>>) -> Result<T, Problem> {
    let late = |_| Problem::new(Code::ProviderUnavailable, "This took too long. Try again.");
    Ok(tokio::time::timeout(PATIENCE, work).await.map_err(late)??)
}

fn id_of(text: &str) -> Result<DomainId, Problem> {
    text.parse().map_err(|_| none())
}

fn none() -> Problem {
    Problem::no_such("domain")
}

fn parse(body: &Value) -> Result<DomainName, Vec<Fault>> {
    let fault = |pointer: &str, detail: String| Fault { pointer: pointer.to_owned(), detail };
    let Some(object) = body.as_object() else { return Err(vec![fault("", "is not an object".to_owned())]) };
    let mut faults: Vec<Fault> = object
        .keys()
        .filter(|name| *name != "domain")
        .map(|name| {
            let name = name.replace('~', "~0").replace('/', "~1");
            fault(&format!("/{name}"), "is not a field that is known here".to_owned())
        })
        .collect();
    let name = match object.get("domain") {
        None | Some(Value::Null) => Err("is needed".to_owned()),
        Some(Value::String(text)) => DomainName::parse(text).map_err(|wrong| wrong.to_string()),
        Some(_) => Err("is not a text".to_owned()),
    };
    match name {
        Ok(name) if faults.is_empty() => Ok(name),
        Ok(_) => Err(faults),
        Err(detail) => {
            faults.push(fault("/domain", detail));
            Err(faults)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_faults_are_named_at_once() {
        let pointers = |body| -> Vec<String> {
            parse(&body).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
        };
        assert_eq!(pointers(json!({"domain": "localhost", "a/b": 1})), ["/a~1b", "/domain"]);
        assert_eq!(pointers(json!({"Domain": "shop.example"})), ["/Domain", "/domain"]);
        assert_eq!(pointers(json!({"domain": ["shop.example"]})), ["/domain"]);
        assert_eq!(pointers(json!(["shop.example"])), [""]);
        let name = parse(&json!({"domain": "Shop.Example"})).unwrap();
        assert_eq!(name.as_str(), "shop.example");
    }
}

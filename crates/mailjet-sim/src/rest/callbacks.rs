//! `/v3/REST/eventcallbackurl`: which URL hears of which events.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::{
    query::{Page, Parameters},
    reply::{RestError, object, ok, rows},
};
use crate::{
    events::{
        callback::{Callback, Change, Element, Life},
        kind::EventType,
        registry::{Refused, Registry},
    },
    gate::ApiKey,
};

type Callbacks = web::Data<Arc<Registry>>;

/// Mounts the resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/eventcallbackurl").get(list).post(create))
        .service(web::resource("/eventcallbackurl/{element}").get(read).put(update).delete(delete));
}

async fn create(key: ApiKey, body: web::Bytes, registry: Callbacks) -> Result<HttpResponse, RestError> {
    let mut change = change(&object(&body)?)?;
    let kind = change.event_type.take().ok_or_else(|| RestError::new(400, "\"EventType\" is mandatory"))?;
    let url = change.url.take().ok_or_else(|| RestError::new(400, "\"Url\" is mandatory"))?;
    let row = registry.add(&key.0, kind, url, change)?;
    Ok(HttpResponse::Created().json(rows(&[json!(row)])))
}

async fn update(
    key: ApiKey,
    element: web::Path<String>,
    body: web::Bytes,
    registry: Callbacks,
) -> Result<HttpResponse, RestError> {
    let element = Element::parse(&element).ok_or_else(RestError::not_found)?;
    match registry.change(&key.0, element, change(&object(&body)?)?)? {
        Some(row) => Ok(ok(&[json!(row)])),
        None => Ok(HttpResponse::NotModified().finish()),
    }
}

async fn delete(
    key: ApiKey,
    element: web::Path<String>,
    registry: Callbacks,
) -> Result<HttpResponse, RestError> {
    let element = Element::parse(&element).ok_or_else(RestError::not_found)?;
    if registry.remove(&key.0, element) {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(RestError::not_found())
    }
}

async fn read(
    key: ApiKey,
    element: web::Path<String>,
    registry: Callbacks,
) -> Result<HttpResponse, RestError> {
    let element = Element::parse(&element).ok_or_else(RestError::not_found)?;
    let rows = registry.rows(&key.0);
    let row = rows.iter().find(|row| element.is(row)).ok_or_else(RestError::not_found)?;
    Ok(ok(&[json!(row)]))
}

async fn list(key: ApiKey, parameters: Parameters, registry: Callbacks) -> Result<HttpResponse, RestError> {
    let page = Page::read(&parameters)?;
    let wanted = registry.rows(&key.0).into_iter().filter(|row| matches(row, &parameters));
    let rows: Vec<Value> = page.cut(wanted).map(|row| json!(row)).collect();
    Ok(ok(&rows))
}

/// Whether a row passes every filter that is given.
fn matches(row: &Callback, parameters: &Parameters) -> bool {
    let passes = |name: &str, is: &dyn Fn(&str) -> bool| parameters.get(name).is_none_or(|value| is(value));
    let status = if row.status == Life::Alive { "alive" } else { "dead" };
    passes("EventType", &|value| EventType::parse(value) == Some(row.event_type))
        && passes("Backup", &|value| (value == "1" || value.eq_ignore_ascii_case("true")) == row.is_backup)
        && passes("Status", &|value| value == status)
        && passes("Version", &|value| value.parse() == Ok(row.version))
}

/// Reads what a caller wants a row to be. Rows carry more properties than can be set; those are let pass.
fn change(body: &Map<String, Value>) -> Result<Change, RestError> {
    let bad =
        |name: &str, value: &Value| RestError::new(400, format!("Invalid value for \"{name}\": {value}"));
    let mut change = Change::default();
    for (name, value) in body {
        match name.as_str() {
            "EventType" => {
                let kind = value.as_str().and_then(EventType::parse);
                change.event_type = Some(kind.ok_or_else(|| bad(name, value))?);
            }
            "IsBackup" => change.is_backup = Some(value.as_bool().ok_or_else(|| bad(name, value))?),
            "Version" => match value.as_u64() {
                Some(1) => change.version = Some(1),
                Some(2) => change.version = Some(2),
                _ => return Err(bad(name, value)),
            },
            "Url" => {
                let url = value.as_str().filter(|url| is_url(url)).ok_or_else(|| bad(name, value))?;
                change.url = Some(url.to_owned());
            }
            "ID" | "APIKey" | "APIKeyID" | "Status" => {}
            _ => return Err(RestError::new(400, format!("Unknown property \"{name}\""))),
        }
    }
    Ok(change)
}

/// A host under `.invalid` can be nobody's (RFC 6761), which makes it good for trying what a refusal comes to.
fn is_url(text: &str) -> bool {
    let is_bad = |url: &Url| url.host_str().is_none_or(|host| host.ends_with(".invalid"));
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && !is_bad(&url))
}

impl From<Refused> for RestError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken(kind, backup) => {
                let key = format!("{}|{backup}", kind.number());
                let words = "resource with value";
                Self::new(
                    400,
                    format!("MJ18 A EventCallbackURL {words} \"{key}\" for EventType|Backup already exists."),
                )
            }
            Refused::Unknown => Self::not_found(),
            Refused::Full => Self::new(400, "Too many API keys have callback URLs"),
        }
    }
}

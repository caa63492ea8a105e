//! `/v3/REST/sender`: addresses and domains that mail may come from.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{
    query::{Page, Parameters, is_true},
    reply::{RestError, object, ok, rows},
};
use crate::{
    gate::ApiKey,
    send::address::{is_domain, is_email},
    senders::{
        Rejected, Senders,
        account::{Sender, Standing, Validation, Wish},
    },
};

type Shared = web::Data<Arc<Senders>>;

/// Mounts the resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/sender").get(list).post(create))
        .service(web::resource("/sender/{element}").get(read).put(update).delete(delete))
        .service(web::resource("/sender/{element}/validate").post(validate));
}

async fn create(key: ApiKey, body: web::Bytes, senders: Shared) -> Result<HttpResponse, RestError> {
    let body = object(&body)?;
    let email = body.get("Email").and_then(Value::as_str).unwrap_or_default();
    let valid = email.strip_prefix("*@").map_or_else(|| is_email(email), is_domain);
    if !valid {
        return Err(RestError::new(400, format!("Invalid email address \"{email}\"")));
    }
    let sender = senders.add(&key.0, email, wish(&body)?).map_err(|rejected| match rejected {
        Rejected::Exists(standing) => {
            let standing = format!("{standing:?}").to_lowercase();
            RestError::new(400, format!("There is an already existing {standing} sender with the same email"))
        }
        Rejected::Full => RestError::new(400, "Too many senders"),
    })?;
    Ok(HttpResponse::Created().json(rows(&[json!(sender)])))
}

async fn update(
    key: ApiKey,
    element: web::Path<String>,
    body: web::Bytes,
    senders: Shared,
) -> Result<HttpResponse, RestError> {
    let wish = wish(&object(&body)?)?;
    match senders.change(&key.0, &element, wish).ok_or_else(RestError::not_found)? {
        (sender, true) => Ok(ok(&[json!(sender)])),
        (_, false) => Ok(HttpResponse::NotModified().finish()),
    }
}

async fn delete(key: ApiKey, element: web::Path<String>, senders: Shared) -> Result<HttpResponse, RestError> {
    if senders.delete(&key.0, &element) {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(RestError::not_found())
    }
}

async fn read(key: ApiKey, element: web::Path<String>, senders: Shared) -> Result<HttpResponse, RestError> {
    let sender = senders.sender(&key.0, &element).ok_or_else(RestError::not_found)?;
    Ok(ok(&[json!(sender)]))
}

async fn list(key: ApiKey, parameters: Parameters, senders: Shared) -> Result<HttpResponse, RestError> {
    let page = Page::read(&parameters)?;
    let wanted = senders.senders(&key.0).into_iter().filter(|sender| matches(sender, &parameters));
    let rows: Vec<Value> = page.cut(wanted).map(|sender| json!(sender)).collect();
    Ok(ok(&rows))
}

async fn validate(
    key: ApiKey,
    element: web::Path<String>,
    senders: Shared,
) -> Result<HttpResponse, RestError> {
    match senders.validate(&key.0, &element).ok_or_else(RestError::not_found)? {
        Validation::Already => Err(RestError::new(400, "The sender is already active")),
        validation => Ok(ok(&[validation.to_json()])),
    }
}

/// Whether a row passes every filter that is given.
fn matches(sender: &Sender, parameters: &Parameters) -> bool {
    let passes =
        |name: &str, own: &str| parameters.get(name).is_none_or(|value| value.eq_ignore_ascii_case(own));
    passes("Email", &sender.email)
        && passes("Domain", sender.domain())
        && passes("Status", &format!("{:?}", sender.status))
        && passes("DnsID", &sender.dns_id.to_string())
        && (sender.status != Standing::Deleted
            || is_true(parameters, "ShowDeleted")
            || parameters.contains_key("Status"))
}

fn wish(body: &Map<String, Value>) -> Result<Wish, RestError> {
    let mut wish = Wish::default();
    for (name, value) in body {
        let bad = || RestError::new(400, format!("Invalid value for \"{name}\": {value}"));
        let text = || value.as_str().map(str::to_owned).ok_or_else(bad);
        match name.as_str() {
            "Name" => wish.name = Some(text()?),
            "EmailType" => {
                let word = text()?;
                if !["transactional", "bulk", "unknown"].contains(&word.as_str()) {
                    return Err(bad());
                }
                wish.email_type = Some(word);
            }
            "IsDefaultSender" => wish.is_default = Some(value.as_bool().ok_or_else(bad)?),
            "Email" => {}
            _ => return Err(RestError::new(400, format!("Unknown property \"{name}\""))),
        }
    }
    Ok(wish)
}

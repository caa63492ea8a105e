//! `/v3/REST/dns`: the records of sending domains, and their check.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::Value;

use super::{
    query::{Page, Parameters},
    reply::{RestError, ok},
};
use crate::{gate::ApiKey, senders::Senders};

type Shared = web::Data<Arc<Senders>>;

/// Mounts the resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/dns").get(list))
        .service(web::resource("/dns/{element}").get(read))
        .service(web::resource("/dns/{element}/check").post(check));
}

async fn list(key: ApiKey, parameters: Parameters, senders: Shared) -> Result<HttpResponse, RestError> {
    let page = Page::read(&parameters)?;
    let rows: Vec<Value> = page.cut(senders.zones(&key.0)).map(|zone| zone.to_json()).collect();
    Ok(ok(&rows))
}

async fn read(key: ApiKey, element: web::Path<String>, senders: Shared) -> Result<HttpResponse, RestError> {
    let zone = senders.zone(&key.0, &element).ok_or_else(RestError::not_found)?;
    Ok(ok(&[zone.to_json()]))
}

async fn check(key: ApiKey, element: web::Path<String>, senders: Shared) -> Result<HttpResponse, RestError> {
    let found = senders.check(&key.0, &element).ok_or_else(RestError::not_found)?;
    Ok(ok(&[found]))
}

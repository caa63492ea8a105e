//! `/sim/dns/{domain}`: publishes and withdraws records in the imitated DNS, and tells how often it was looked at.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{OrderError, order};
use crate::senders::{
    Senders,
    zone::{Looks, Publish, Published},
};

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sim/dns/{domain}").get(seen).post(publish));
}

async fn publish(
    domain: web::Path<String>,
    body: web::Bytes,
    senders: web::Data<Arc<Senders>>,
) -> Result<HttpResponse, OrderError> {
    let change: Publish = order(&body)?;
    let published = senders.publish(&domain, change);
    let published = published.ok_or_else(|| OrderError::Refused("the imitated DNS is full".to_owned()))?;
    Ok(HttpResponse::Ok().json(published))
}

/// What is published, and how often it was looked at.
#[derive(Debug, Serialize)]
struct Seen {
    #[serde(flatten)]
    published: Published,
    #[serde(flatten)]
    looks: Looks,
}

async fn seen(domain: web::Path<String>, senders: web::Data<Arc<Senders>>) -> HttpResponse {
    let (published, looks) = senders.seen(&domain);
    HttpResponse::Ok().json(Seen { published, looks })
}

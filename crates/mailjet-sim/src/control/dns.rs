//! `/sim/dns/{domain}`: publishes and withdraws records in the imitated DNS.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::{OrderError, order};
use crate::senders::{Senders, zone::Publish};

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sim/dns/{domain}").post(publish));
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

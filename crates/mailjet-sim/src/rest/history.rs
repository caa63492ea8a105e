//! `/v3/REST/messagehistory/{ID}`: what happened to one recipient's mail.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::reply::{RestError, ok};
use crate::{gate::ApiKey, ledger::Ledger, util::lock};

/// Mounts the resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/messagehistory/{id}").get(read));
}

async fn read(
    key: ApiKey,
    id: web::Path<String>,
    ledger: web::Data<Arc<Ledger>>,
) -> Result<HttpResponse, RestError> {
    let found = id.parse().ok().and_then(|id| ledger.by_id(id));
    let (message, at) =
        found.filter(|(message, _)| message.api_key == key.0).ok_or_else(RestError::not_found)?;
    let recipient = message.recipients.get(at).ok_or_else(RestError::not_found)?;
    let track = lock(&recipient.track);
    let line = |entry: &crate::ledger::track::Entry| {
        json!({
            "Comment": entry.happening.comment(),
            "EventAt": entry.at.as_second(),
            "EventType": entry.happening.in_history(),
            "State": entry.happening.error().1,
            "Useragent": "",
            "UseragentID": 0,
        })
    };
    let lines: Vec<Value> = track.history().iter().map(line).collect();
    Ok(ok(&lines))
}

//! `/sim/messages`: what was accepted, duplicates included. `/sim/refusals`: what was refused for what it holds.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use crate::{
    ledger::{Ledger, message::Message},
    refusals::Refusals,
};

/// Messages on a page at most.
const MOST: usize = 10_000;

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/sim/messages").get(list).delete(clear))
        .service(web::resource("/sim/refusals").get(refusals));
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    custom_id: Option<String>,
    email: Option<String>,
    limit: Option<usize>,
    /// Only messages with a greater `seq`.
    after: Option<u64>,
}

/// `total` counts every message that passes the filters; without filters, every message kept.
async fn list(question: web::Query<Question>, ledger: web::Data<Arc<Ledger>>) -> HttpResponse {
    let limit = question.limit.unwrap_or(100).min(MOST);
    let after = question.after.unwrap_or(0);
    let matching = match (&question.custom_id, &question.email) {
        (None, None) => {
            let (kept, ..) = ledger.counts();
            let data = ledger.after(after, limit);
            let data: Vec<&Message> = data.iter().map(AsRef::as_ref).collect();
            return HttpResponse::Ok().json(json!({"data": data, "total": kept}));
        }
        (Some(custom_id), _) => ledger.by_custom_id(custom_id),
        (None, Some(email)) => ledger.by_email(email),
    };
    let has_email = |message: &Arc<Message>| {
        question.email.as_ref().is_none_or(|email| message.recipient(email).is_some())
    };
    let matching: Vec<_> = matching.into_iter().filter(has_email).collect();
    let newer = matching.iter().map(AsRef::as_ref).filter(|message: &&Message| message.seq > after);
    let data: Vec<&Message> = newer.take(limit).collect();
    HttpResponse::Ok().json(json!({"data": data, "total": matching.len()}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalQuestion {
    custom_id: Option<String>,
    /// Only those that were refused for themselves, and not with their call.
    #[serde(default)]
    own: bool,
}

async fn refusals(question: web::Query<RefusalQuestion>, refusals: web::Data<Arc<Refusals>>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": refusals.of(question.custom_id.as_deref(), question.own) }))
}

async fn clear(ledger: web::Data<Arc<Ledger>>, refusals: web::Data<Arc<Refusals>>) -> HttpResponse {
    ledger.clear();
    refusals.clear();
    HttpResponse::NoContent().finish()
}

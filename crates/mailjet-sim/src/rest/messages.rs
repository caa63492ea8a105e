//! `/v3/REST/message`: the look-up of what was sent.
//!
//! It is as treacherous as the real one: filters nobody knows are passed over, so that a question about
//! nothing is answered with the last messages; `Total` is what the page holds; fields are empty unless
//! asked for.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    query::{Page, Parameters, is_true},
    reply::{RestError, ok},
    row::Row,
};
use crate::{
    faults::{FaultBoard, FaultKind},
    gate::ApiKey,
    ledger::{Ledger, message::Message},
};

type Shared = web::Data<Arc<Ledger>>;
type Faults = web::Data<Arc<FaultBoard>>;

/// Filters that pick rows; others are passed over.
const FILTERS: &[&str] = &["CustomID", "Contact", "FromTS", "ToTS", "MessageStatus"];
/// Messages that are looked at for a filter without an index.
const MOST_SCANNED: usize = 10_000;

/// Mounts the resource.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/message").get(list)).service(web::resource("/message/{id}").get(read));
}

async fn list(
    key: ApiKey,
    parameters: Parameters,
    ledger: Shared,
    faults: Faults,
) -> Result<HttpResponse, RestError> {
    let page = Page::read(&parameters)?;
    let youngest = strike(&faults, &key.0)?;
    let visible = |message: &Message| is_visible(message, &key.0, youngest);
    let mut rows: Vec<Row> = if FILTERS.iter().any(|name| parameters.contains_key(*name)) {
        let messages = match parameters.get("CustomID") {
            Some(custom_id) => ledger.by_custom_id(custom_id),
            None => ledger.latest(MOST_SCANNED, visible),
        };
        let messages = messages.iter().filter(|message| visible(message));
        messages.flat_map(Row::all).filter(|row| row.passes(&parameters)).collect()
    } else {
        let most = page.limit.saturating_add(page.offset);
        let mut newest: Vec<Row> = ledger.latest(most, visible).iter().flat_map(Row::all).collect();
        newest.sort_by_key(|row| std::cmp::Reverse(row.id()));
        return Ok(answer(newest, page, &parameters));
    };
    let descending = parameters.get("Sort").is_some_and(|sort| sort.to_ascii_lowercase().ends_with(" desc"));
    rows.sort_by_key(Row::id);
    if descending {
        rows.reverse();
    }
    Ok(answer(rows, page, &parameters))
}

fn answer(rows: Vec<Row>, page: Page, parameters: &Parameters) -> HttpResponse {
    if is_true(parameters, "countOnly") {
        return HttpResponse::Ok().json(json!({"Count": 0, "Data": [], "Total": rows.len()}));
    }
    let shown: Vec<Value> = page.cut(rows).map(|row| row.to_json(parameters)).collect();
    ok(&shown)
}

async fn read(
    key: ApiKey,
    id: web::Path<String>,
    parameters: Parameters,
    ledger: Shared,
    faults: Faults,
) -> Result<HttpResponse, RestError> {
    let youngest = strike(&faults, &key.0)?;
    let found = id.parse().ok().and_then(|id| ledger.by_id(id));
    let (message, recipient) = found.ok_or_else(RestError::not_found)?;
    if !is_visible(&message, &key.0, youngest) {
        return Err(RestError::not_found());
    }
    Ok(ok(&[Row::new(message, recipient).to_json(&parameters)]))
}

/// Lets the look-up fail, or answers from when on it does not see messages yet.
fn strike(faults: &FaultBoard, api_key: &str) -> Result<Option<Timestamp>, RestError> {
    if faults.strike(FaultKind::LookupError, api_key).is_some() {
        return Err(RestError::new(500, "Internal server error"));
    }
    let lag = faults.strike(FaultKind::LookupLag, api_key);
    Ok(lag.map(|lag: Duration| {
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        Timestamp::now().saturating_sub(lag).unwrap_or(Timestamp::MIN)
    }))
}

fn is_visible(message: &Message, api_key: &str, youngest: Option<Timestamp>) -> bool {
    !message.sandbox
        && message.api_key == api_key
        && youngest.is_none_or(|youngest| message.accepted_at <= youngest)
}

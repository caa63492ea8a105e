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
    fail(&faults, &key.0)?;
    let search = Search { ledger: &ledger, key: &key.0, page, parameters: &parameters };
    let all = search.rows(None);
    Ok(match lag(&faults, &key.0, &all) {
        Some(youngest) => answer(search.rows(Some(youngest)), page, &parameters),
        None => answer(all, page, &parameters),
    })
}

/// A question for a list of messages.
struct Search<'a> {
    ledger: &'a Ledger,
    key: &'a str,
    page: Page,
    parameters: &'a Parameters,
}

impl Search<'_> {
    /// Every row that it is answered from, as far as messages up to the `youngest` are seen.
    fn rows(&self, youngest: Option<Timestamp>) -> Vec<Row> {
        let parameters = self.parameters;
        let visible = |message: &Message| is_visible(message, self.key, youngest);
        if !FILTERS.iter().any(|name| parameters.contains_key(*name)) {
            let most = self.page.limit.saturating_add(self.page.offset);
            let mut newest: Vec<Row> = self.ledger.latest(most, visible).iter().flat_map(Row::all).collect();
            newest.sort_by_key(|row| std::cmp::Reverse(row.id()));
            return newest;
        }
        let messages = match parameters.get("CustomID") {
            Some(custom_id) => self.ledger.by_custom_id(custom_id),
            None => self.ledger.latest(MOST_SCANNED, visible),
        };
        let messages = messages.iter().filter(|message| visible(message));
        let mut rows: Vec<Row> = messages.flat_map(Row::all).filter(|row| row.passes(parameters)).collect();
        rows.sort_by_key(Row::id);
        if parameters.get("Sort").is_some_and(|sort| sort.to_ascii_lowercase().ends_with(" desc")) {
            rows.reverse();
        }
        rows
    }
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
    fail(&faults, &key.0)?;
    let found = id.parse().ok().and_then(|id| ledger.by_id(id));
    let (message, recipient) = found.ok_or_else(RestError::not_found)?;
    if !is_visible(&message, &key.0, None) {
        return Err(RestError::not_found());
    }
    let row = Row::new(message, recipient);
    if lag(&faults, &key.0, std::slice::from_ref(&row)).is_some() {
        return Err(RestError::not_found());
    }
    Ok(ok(&[row.to_json(&parameters)]))
}

/// Lets the look-up fail.
fn fail(faults: &FaultBoard, api_key: &str) -> Result<(), RestError> {
    match faults.strike(FaultKind::LookupError, api_key) {
        Some(_) => Err(RestError::new(500, "Internal server error")),
        None => Ok(()),
    }
}

/// From when on the look-up does not see messages yet, where that hides any of these rows.
fn lag(faults: &FaultBoard, api_key: &str, rows: &[Row]) -> Option<Timestamp> {
    let now = Timestamp::now();
    let youngest = |lag: Duration| {
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        now.saturating_sub(lag).unwrap_or(Timestamp::MIN)
    };
    let hides = |lag| rows.iter().any(|row| row.accepted_at() > youngest(lag));
    faults.strike_if(FaultKind::LookupLag, api_key, hides).map(youngest)
}

fn is_visible(message: &Message, api_key: &str, youngest: Option<Timestamp>) -> bool {
    !message.sandbox
        && message.api_key == api_key
        && youngest.is_none_or(|youngest| message.accepted_at <= youngest)
}

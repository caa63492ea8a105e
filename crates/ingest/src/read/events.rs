//! `GET /v1/messages/{id}/events`.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use domain::MessageId;
use domain::api_key::Scope;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use store::Store;
use store::delivery_events::EventView;
use uuid::Uuid;

use crate::auth::caller;
use crate::database::ask;
use crate::page::{Page, Parameters, page};
use crate::problem::Problem;

/// An event as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    id: Uuid,
    sequence: i64,
    r#type: String,
    message_id: Option<Uuid>,
    recipient: String,
    provider: String,
    provider_message_id: Option<String>,
    occurred_at: Timestamp,
    received_at: Timestamp,
    reason: Option<String>,
    url: Option<String>,
    ip: Option<String>,
    geo: Option<String>,
    user_agent: Option<String>,
    raw: Option<Box<RawValue>>,
}

impl From<EventView> for Event {
    fn from(view: EventView) -> Self {
        Self {
            id: view.id,
            sequence: view.sequence,
            r#type: view.kind,
            message_id: view.message_id,
            recipient: view.recipient,
            provider: view.provider,
            provider_message_id: view.provider_message_id,
            occurred_at: view.occurred_at,
            received_at: view.received_at,
            reason: view.reason,
            url: view.url,
            ip: view.ip,
            geo: view.geo,
            user_agent: view.user_agent,
            raw: RawValue::from_string(view.raw).ok(),
        }
    }
}

pub(super) async fn of_message(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<Json<Page<Event>>, Problem> {
    let caller = caller(&request, Scope::Send).await?;
    let id: MessageId = path.parse().map_err(|_| Problem::no_such("message"))?;
    let mut parameters = Parameters::of(&request);
    let limit = parameters.limit();
    let after = parameters.cursor(|text| {
        let (at, id) = text.split_once(' ')?;
        Some((at.parse().ok()?, id.parse().ok()?))
    });
    parameters.finish()?;
    if ask(store::messages::get(&store, caller.tenant, id)).await?.is_none() {
        return Err(Problem::no_such("message"));
    }
    let (rows, more) =
        ask(store::delivery_events::of_message(&store, caller.tenant, id, after, limit)).await?;
    let place = |view: &EventView| format!("{} {}", view.occurred_at, view.id);
    Ok(Json(page(rows, more, place, Event::from)))
}

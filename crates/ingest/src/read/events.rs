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
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::auth::caller;
use crate::database::ask;
use crate::openapi::words::{EventType, ProviderName};
use crate::page::{Page, Paging, Parameters, page};
use crate::problem::Problem;
use crate::refusals::{InvalidQuery, Missing, Usual};

/// An event as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Its id.
    id: Uuid,
    /// Its place in the history; grows, with gaps.
    #[schema(minimum = 1, example = 42)]
    sequence: i64,
    #[schema(value_type = EventType)]
    r#type: String,
    /// The message; null where Raven did not send it, or does not know it yet.
    #[schema(required)]
    message_id: Option<Uuid>,
    /// The address as the provider wrote it; empty where the event names none.
    #[schema(example = "ada@example.com")]
    recipient: String,
    /// Who told.
    #[schema(value_type = ProviderName)]
    provider: String,
    /// The provider's number of the message, as text.
    #[schema(required, example = "1234567890123456789")]
    provider_message_id: Option<String>,
    /// When it happened.
    occurred_at: Timestamp,
    /// When it was told.
    received_at: Timestamp,
    /// Why, in the provider's words.
    #[schema(required, example = "sent (250 2.0.0 OK)")]
    reason: Option<String>,
    /// The link that was followed.
    #[schema(required)]
    url: Option<String>,
    /// The network address whence it was opened or clicked.
    #[schema(required)]
    ip: Option<String>,
    /// The country of that address.
    #[schema(required)]
    geo: Option<String>,
    /// The program that opened or clicked.
    #[schema(required)]
    user_agent: Option<String>,
    /// What the provider told, to the letter.
    #[schema(value_type = Value)]
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

#[derive(OpenApi)]
#[openapi(paths(of_message))]
pub(super) struct Docs;

/// Lists the events of a message, oldest first.
#[utoipa::path(
    get, path = "/v1/messages/{id}/events", tag = "Messages", operation_id = "listMessageEvents",
    params(("id" = Uuid, Path, description = "The message's id."), Paging),
    responses((status = 200, description = "A page of events.", body = Page<Event>), Usual, Missing, InvalidQuery),
)]
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

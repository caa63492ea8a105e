//! `GET /v1/events`: the tenant's history, to be followed. [`store::delivery_events::feed`] tells how events that commit
//! late are not passed over.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use domain::api_key::Scope;
use store::Store;
use store::delivery_events::{Filter, feed};
use utoipa::{IntoParams, OpenApi};

use super::events::Event;
use crate::auth::caller;
use crate::database::ask;
use crate::openapi::words::EventType;
use crate::page::{Page, Parameters};
use crate::problem::Problem;
use crate::refusals::{InvalidQuery, Usual};

/// What is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `all` reads")]
struct Following {
    /// The `nextCursor` of the page before; none, or an empty one, is the beginning.
    #[param(pattern = "^[0-9]{0,18}$", nullable = false, example = "42")]
    after: Option<String>,
    /// Another name for `after`.
    #[param(pattern = "^[0-9]{0,18}$", nullable = false)]
    cursor: Option<String>,
    /// Only events of this type.
    #[param(value_type = Option<EventType>, nullable = false)]
    r#type: Option<String>,
    /// Only events of this address.
    #[param(
        nullable = false,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
        example = "ada@example.com"
    )]
    recipient: Option<String>,
    /// How many events a page may have.
    #[param(minimum = 1, maximum = 500, default = 50, example = 50, nullable = false)]
    limit: Option<u16>,
}

#[derive(OpenApi)]
#[openapi(paths(all))]
pub(super) struct Docs;

/// Follows all events.
///
/// In the order of `sequence`, each event exactly once for a reader that keeps `nextCursor`: the last sequence of the
/// page, which stays good for ever. It is null on an empty page only: there is nothing new, and the reader keeps the
/// cursor that it has.
#[utoipa::path(
    get, path = "/v1/events", tag = "Events", operation_id = "followEvents", params(Following),
    responses((status = 200, description = "A page of events.", body = Page<Event>), Usual, InvalidQuery),
)]
pub(super) async fn all(request: HttpRequest, store: Data<Store>) -> Result<Json<Page<Event>>, Problem> {
    let caller = caller(&request, Scope::Send).await?;
    let mut parameters = Parameters::of(&request);
    let limit = parameters.limit();
    // `cursor` is what every other list calls it.
    let after = parameters.take("after", place).into_iter().chain(parameters.take("cursor", place)).max();
    let filter = Filter {
        kind: parameters
            .take("type", |text| text.parse().map_err(|fault: domain::event::UnknownKind| fault.to_string())),
        recipient_key: parameters.take("recipient", super::address),
    };
    parameters.finish()?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = ask(feed(&store, caller.tenant, &filter, after.unwrap_or(0), most)).await?;
    let next_cursor = rows.last().map(|row| row.sequence.to_string());
    Ok(Json(Page { data: rows.into_iter().map(Event::from).collect(), next_cursor }))
}

/// Reads a cursor; none yet is the beginning.
fn place(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|&place| place >= 0).ok_or_else(|| "is not a cursor of this list".to_owned())
}

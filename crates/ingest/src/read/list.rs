//! `GET /v1/messages`: what a tenant has sent, newest first. [`store::messages::list`] tells why a page may be short.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use domain::Status;
use domain::api_key::Scope;
use domain::status::{ALL, by_name};
use jiff::Timestamp;
use store::Store;
use store::messages::{Filter, Place, list};
use utoipa::{IntoParams, OpenApi};

use super::messages::Message;
use crate::auth::caller;
use crate::database::ask;
use crate::openapi::words::MessageStatus;
use crate::page::{Page, Paging, Parameters, cursor_of};
use crate::problem::Problem;
use crate::refusals::{InvalidQuery, Usual};

/// What is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `all` reads")]
struct Asked {
    /// Only messages of this status.
    #[param(value_type = Option<MessageStatus>, nullable = false)]
    status: Option<String>,
    /// Only messages to this address, in whichever field.
    #[param(
        nullable = false,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
        example = "ada@example.com"
    )]
    to: Option<String>,
    /// Only messages with this tag.
    #[param(
        nullable = false,
        min_length = 1,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$",
        example = "order"
    )]
    tag: Option<String>,
    /// Only messages accepted at this time or later.
    #[param(nullable = false, example = "2026-01-01T00:00:00Z")]
    since: Option<Timestamp>,
    /// Only messages accepted before this time.
    #[param(nullable = false, example = "2026-02-01T00:00:00Z")]
    until: Option<Timestamp>,
}

#[derive(OpenApi)]
#[openapi(paths(all))]
pub(super) struct Docs;

/// Lists messages, newest first.
///
/// A page may be short, even empty, where what is asked for is rare: the search is bounded for each page, and goes on with
/// `nextCursor` until that is null.
#[utoipa::path(
    get, path = "/v1/messages", tag = "Messages", operation_id = "listMessages", params(Asked, Paging),
    responses((status = 200, description = "A page of messages.", body = Page<Message>), Usual, InvalidQuery),
)]
pub(crate) async fn all(request: HttpRequest, store: Data<Store>) -> Result<Json<Page<Message>>, Problem> {
    let caller = caller(&request, Scope::Send).await?;
    let mut parameters = Parameters::of(&request);
    let filter = Filter {
        statuses: parameters.take("status", statuses).unwrap_or_default(),
        email_key: parameters.take("to", super::address),
        tag: parameters.take("tag", tag),
        since: parameters.take("since", time),
        until: parameters.take("until", time),
    };
    let limit = parameters.limit();
    let after = parameters.cursor(|text| {
        let (at, id) = text.split_once(' ')?;
        Some(Place { at: at.parse().ok()?, id: id.parse().ok()? })
    });
    parameters.finish()?;
    let listed = ask(list(&store, caller.tenant, &filter, after, limit)).await?;
    Ok(Json(Page {
        data: listed.messages.into_iter().map(Message::from).collect(),
        next_cursor: listed.next.map(|place| cursor_of(&format!("{} {}", place.at, place.id))),
    }))
}

/// All that a name stands for: `bounced` is two.
fn statuses(name: &str) -> Result<Vec<Status>, String> {
    let statuses = by_name(name);
    if statuses.is_empty() {
        let mut names = ALL.map(Status::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        return Err(format!("is none of {}", names.join(", ")));
    }
    Ok(statuses)
}

fn tag(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("names no tag".to_owned()) } else { Ok(text.to_owned()) }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "is not a time such as 2026-01-31T12:00:00Z".to_owned())
}

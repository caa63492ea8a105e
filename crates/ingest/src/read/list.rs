//! `GET /v1/messages`: what a tenant has sent, newest first.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use domain::Status;
use domain::api_key::Scope;
use domain::status::{ALL, by_name};
use jiff::Timestamp;
use store::Store;
use store::messages::{Filter, Place, list};

use super::messages::Message;
use crate::auth::caller;
use crate::database::ask;
use crate::page::{Page, Parameters, cursor_of};
use crate::problem::Problem;

/// A page may be short, even empty, where what is asked for is rare: the search is bounded for each page, and goes on with
/// `nextCursor` until that is null. [`store::messages::list`] tells why.
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

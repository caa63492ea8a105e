//! `POST /v1/messages/{id}/cancel` and `…/retry`.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use domain::api_key::Scope;
use domain::{MessageId, Status};
use store::Store;
use store::messages::{self, MessageView};
use utoipa::OpenApi;

use super::messages::Message;
use crate::auth::{Caller, caller};
use crate::database::ask;
use crate::problem::{Code, Problem};
use crate::refusals::{Conflict, Missing, Usual};

#[derive(OpenApi)]
#[openapi(paths(cancel, retry))]
pub(super) struct Docs;

/// Withdraws a message.
///
/// One that is `scheduled` or `queued`: nobody has begun to send it, or it waits for another attempt.
#[utoipa::path(
    post, path = "/v1/messages/{id}/cancel", tag = "Messages", operation_id = "cancelMessage",
    params(("id" = Uuid, Path, description = "The message's id.")),
    responses((status = 200, description = "The message, `canceled`.", body = Message), Usual, Missing, Conflict),
)]
pub(super) async fn cancel(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<Json<Message>, Problem> {
    let (caller, id) = addressed(&request, &path).await?;
    let done = ask(messages::cancel(&store, caller.tenant, id)).await?;
    let view = read(&store, caller, id).await?;
    if done { Ok(Json(view.into())) } else { Err(Problem::new(Code::Conflict, not_canceled(view.status))) }
}

/// Tries a message again.
///
/// One that has `failed`. Where it was never found out whether Mailjet has it, Mailjet is asked first.
#[utoipa::path(
    post, path = "/v1/messages/{id}/retry", tag = "Messages", operation_id = "retryMessage",
    params(("id" = Uuid, Path, description = "The message's id.")),
    responses((status = 200, description = "The message as it is now.", body = Message), Usual, Missing, Conflict),
)]
pub(super) async fn retry(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<Json<Message>, Problem> {
    let (caller, id) = addressed(&request, &path).await?;
    let done = ask(messages::retry(&store, caller.tenant, id)).await?;
    let view = read(&store, caller, id).await?;
    if done { Ok(Json(view.into())) } else { Err(Problem::new(Code::Conflict, not_retried(view.status))) }
}

async fn addressed(request: &HttpRequest, path: &str) -> Result<(Caller, MessageId), Problem> {
    let caller = caller(request, Scope::Send).await?;
    let id = path.parse().map_err(|_| Problem::no_such("message"))?;
    Ok((caller, id))
}

async fn read(store: &Store, caller: Caller, id: MessageId) -> Result<MessageView, Problem> {
    ask(messages::get(store, caller.tenant, id)).await?.ok_or_else(|| Problem::no_such("message"))
}

/// Why a message of this status could not be withdrawn.
fn not_canceled(status: Status) -> String {
    let why = match status {
        Status::Canceled => "is canceled already",
        Status::Suppressed => "was never to be sent: all its recipients are on the suppression list",
        Status::Failed => "has failed already: it is not sent any more",
        Status::Sending => "is being sent, or it is being found out whether it was",
        // It has come back from an attempt since.
        Status::Scheduled | Status::Queued => "was being sent; it waits for another attempt now. Try again",
        _ => "was sent already",
    };
    format!("The message {why}.")
}

/// Why a message of this status could not be tried again.
fn not_retried(status: Status) -> String {
    let why = match status {
        Status::Failed => return "The message cannot be sent again: its content has aged out.".to_owned(),
        Status::Canceled => "was canceled",
        Status::Suppressed => "has no recipients that are not on the suppression list",
        Status::Scheduled => "waits for its time",
        Status::Queued => "waits for another attempt already",
        Status::Sending => "is being sent, or it is being found out whether it was",
        _ => "was sent",
    };
    format!("Only messages that have failed can be tried again; this one {why}.")
}

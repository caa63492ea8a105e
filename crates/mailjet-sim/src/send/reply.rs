//! Answers of the send endpoint.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::{desk::Outcome, refusal::Refusal};
use crate::ledger::{draft::Mailbox, message::Message};

/// The answer that refuses a whole call.
pub(super) fn refused(refusal: &Refusal) -> HttpResponse {
    HttpResponse::build(status(refusal.status)).json(refusal.to_json())
}

/// The answer to a call that was looked at message by message, in the order of the call.
pub(super) fn outcomes(outcomes: &[Outcome]) -> (StatusCode, Value) {
    let messages: Vec<Value> = outcomes.iter().map(outcome).collect();
    let refusals = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).flatten();
    let status = match refusals.map(|refusal| refusal.status).max() {
        None => StatusCode::OK,
        Some(403) => StatusCode::FORBIDDEN,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    (status, json!({ "Messages": messages }))
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Err(refusals) => {
            let errors: Vec<Value> = refusals.iter().map(Refusal::to_json).collect();
            json!({"Status": "error", "Errors": errors})
        }
        Ok(message) => {
            let list =
                |list: &[Mailbox]| -> Value { list.iter().map(|one| recipient(message, one)).collect() };
            let draft = &message.draft;
            json!({
                "Status": "success",
                "CustomID": draft.custom_id,
                "To": list(&draft.to),
                "Cc": list(&draft.cc),
                "Bcc": list(&draft.bcc),
            })
        }
    }
}

fn recipient(message: &Message, mailbox: &Mailbox) -> Value {
    let found = message.recipient(&mailbox.email).and_then(|at| message.recipients.get(at));
    let (id, uuid) = found.map_or((0, String::new()), |recipient| (recipient.id, recipient.uuid_text()));
    json!({
        "Email": mailbox.email,
        "MessageUUID": uuid,
        "MessageID": id,
        "MessageHref": format!("https://api.mailjet.com/v3/REST/message/{id}"),
    })
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

//! `GET /v1/messages/{id}`.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use domain::api_key::Scope;
use domain::{Mailbox, MessageId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use store::Store;
use store::messages::{MessageView, RecipientView};
use uuid::Uuid;

use crate::auth::caller;
use crate::database::ask;
use crate::problem::Problem;

/// A message as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    id: MessageId,
    status: &'static str,
    channel: &'static str,
    from: Option<Mailbox>,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    subject: Option<String>,
    tags: Vec<String>,
    metadata: Option<Box<RawValue>>,
    created_at: Timestamp,
    updated_at: Timestamp,
    scheduled_at: Option<Timestamp>,
    attempts: u32,
    provider: &'static str,
    provider_message_id: Option<String>,
    error: Option<MessageError>,
    recipients: Vec<Recipient>,
}

#[derive(Debug, Serialize)]
struct MessageError {
    code: String,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email: String,
    status: &'static str,
    provider_message_id: Option<String>,
    provider_message_uuid: Option<Uuid>,
}

impl From<MessageView> for Message {
    fn from(view: MessageView) -> Self {
        let recipients: Vec<Recipient> = view.recipients.into_iter().map(Recipient::from).collect();
        Self {
            id: view.id,
            status: view.status.as_str(),
            channel: "email",
            from: view.envelope.from,
            to: view.envelope.to,
            cc: view.envelope.cc,
            bcc: view.envelope.bcc,
            subject: view.subject,
            tags: view.tags,
            metadata: view.metadata.and_then(|text| RawValue::from_string(text).ok()),
            created_at: view.created_at,
            updated_at: view.updated_at,
            scheduled_at: view.scheduled_at,
            attempts: view.attempts,
            provider: store::providers::MAILJET,
            provider_message_id: recipients.iter().find_map(|next| next.provider_message_id.clone()),
            error: view.error.map(|(code, message)| MessageError { code, message }),
            recipients,
        }
    }
}

impl From<RecipientView> for Recipient {
    fn from(view: RecipientView) -> Self {
        Self {
            email: view.email,
            status: view.status.as_str(),
            // Beyond 2^53, so a text: readers in JavaScript would change the number.
            provider_message_id: view.provider_message_id.map(|id| id.to_string()),
            provider_message_uuid: view.provider_message_uuid,
        }
    }
}

/// Until a worker has stored an accepted message, which takes moments, this is 404.
pub(super) async fn one(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<Json<Message>, Problem> {
    let caller = caller(&request, Scope::Send).await?;
    let id = path.parse().map_err(|_| Problem::no_such("message"))?;
    let message = ask(store::messages::get(&store, caller.tenant, id)).await?;
    message.map(|view| Json(view.into())).ok_or_else(|| Problem::no_such("message"))
}

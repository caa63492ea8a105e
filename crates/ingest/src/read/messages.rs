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
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::auth::caller;
use crate::database::ask;
use crate::openapi::words::{Channel, MessageStatus, ProviderName};
use crate::problem::Problem;
use crate::refusals::{Missing, Usual};

/// A message as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Its id.
    #[schema(value_type = Uuid)]
    id: MessageId,
    #[schema(value_type = MessageStatus)]
    status: &'static str,
    #[schema(value_type = Channel)]
    channel: &'static str,
    /// The sender; null where the message names none and the tenant has no account.
    #[schema(required, value_type = Option<MailboxView>)]
    from: Option<Mailbox>,
    /// Who gets it.
    #[schema(value_type = Vec<MailboxView>)]
    to: Vec<Mailbox>,
    /// Who gets a copy.
    #[schema(value_type = Vec<MailboxView>)]
    cc: Vec<Mailbox>,
    /// Who gets a hidden copy.
    #[schema(value_type = Vec<MailboxView>)]
    bcc: Vec<Mailbox>,
    /// Its subject.
    #[schema(required, example = "Your order 42")]
    subject: Option<String>,
    /// The words by which it is found again.
    #[schema(example = json!(["order"]))]
    tags: Vec<String>,
    /// Data of yours.
    #[schema(required, value_type = Option<Object>, example = json!({"orderId": 42}))]
    metadata: Option<Box<RawValue>>,
    /// When it was accepted.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
    /// When it is, or was, to be sent; null is at once.
    #[schema(required)]
    scheduled_at: Option<Timestamp>,
    /// How often it was tried.
    #[schema(example = 1)]
    attempts: u32,
    /// Who sends it.
    #[schema(value_type = ProviderName)]
    provider: &'static str,
    /// The provider's number of the first recipient's copy, as text.
    #[schema(required, example = "1234567890123456789")]
    provider_message_id: Option<String>,
    /// What is wrong; null where nothing is.
    #[schema(required)]
    error: Option<MessageError>,
    /// What has become of each recipient's copy.
    recipients: Vec<Recipient>,
}

/// What is wrong with a message.
#[derive(Debug, Serialize, ToSchema)]
struct MessageError {
    /// A short code: the provider's own where it gave one, else one of ours.
    #[schema(example = "send-0008")]
    code: String,
    /// What it means, and what to do.
    message: String,
}

/// What has become of one recipient's copy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    /// The address.
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(value_type = MessageStatus)]
    status: &'static str,
    /// The provider's number of it, as text.
    #[schema(required, example = "1234567890123456789")]
    provider_message_id: Option<String>,
    /// The provider's UUID of it.
    #[schema(required)]
    provider_message_uuid: Option<Uuid>,
}

// [`Mailbox`] itself is serialised; its crate knows nothing of OpenAPI.
/// An address with the name that a reader sees beside it.
#[derive(ToSchema)]
#[schema(as = Mailbox)]
#[expect(dead_code, reason = "it only describes")]
struct MailboxView {
    /// The address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The name; absent where there is none.
    #[schema(nullable = false, example = "Ada Lovelace")]
    name: Option<String>,
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

#[derive(OpenApi)]
#[openapi(paths(one))]
pub(super) struct Docs;

/// Tells what became of a message.
///
/// Until a worker has stored an accepted message, which takes moments, this is 404.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "Messages", operation_id = "getMessage",
    params(("id" = Uuid, Path, description = "The message's id.")),
    responses((status = 200, description = "The message.", body = Message), Usual, Missing),
)]
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

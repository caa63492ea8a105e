//! `POST /v1/messages` and `POST /v1/messages/batch`.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Message, MessageId, QueuedMessage};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::idempotency::{self, Replays, Request, Seen};
use super::publish::{Outlet, queued};
use super::request;
use super::request::schema::{NewBatch, NewMessage};
use crate::auth::{Caller, batch_sender, count_batch, sender};
use crate::body;
use crate::problem::{Code, Fault, Problem};
use crate::refusals::{Invalid, Sending, Usual};

/// Most messages of one batch.
pub(super) const BATCH: usize = 500;

/// What an accepted message is answered with.
#[derive(Debug, Serialize, ToSchema)]
struct Accepted {
    /// The message's id.
    #[schema(value_type = Uuid)]
    id: MessageId,
    status: Waiting,
}

/// What an accepted message waits for: its turn, or its time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedStatus)]
#[serde(rename_all = "snake_case")]
enum Waiting {
    Queued,
    Scheduled,
}

/// What an accepted batch is answered with.
#[derive(Debug, Serialize, ToSchema)]
struct AcceptedBatch {
    /// One for each message, in the order of the request.
    #[schema(min_items = 1, max_items = 500)]
    data: Vec<Accepted>,
}

impl Accepted {
    fn of(id: MessageId, scheduled: bool) -> Self {
        Self { id, status: if scheduled { Waiting::Scheduled } else { Waiting::Queued } }
    }
}

#[derive(OpenApi)]
#[openapi(paths(send, send_batch))]
pub(super) struct Docs;

/// Sends a message.
///
/// It is answered 200 only once the message is safe in the queue, or on disk where a spool is set. `GET /v1/messages/{id}` tells what became of it.
#[utoipa::path(
    post, path = "/v1/messages", tag = "Messages", operation_id = "sendMessage",
    params((
        "Idempotency-Key" = Option<String>, Header, nullable = false, example = "order-42-confirmation",
        min_length = 1, max_length = 256, pattern = "^[!-~]([ -~]*[!-~])?$",
        description = "Printable ASCII. The same key is always the same message; with another body it is a 409."
    )),
    request_body(content = NewMessage, description = "At most 20 MiB.", example = json!(super::request::schema::example())),
    responses(
        (status = 200, description = "The message is safe in the queue, or on disk where a spool is set.", body = Accepted, headers(
            ("Idempotent-Replayed" = String, description = "`true` where the message was accepted before; else absent."),
        ), links(
            ("message" = (operation_id = "getMessage", parameters(("id" = "$response.body#/id")))),
            ("events" = (operation_id = "listMessageEvents", parameters(("id" = "$response.body#/id")))),
            ("cancel" = (operation_id = "cancelMessage", parameters(("id" = "$response.body#/id")))),
            ("retry" = (operation_id = "retryMessage", parameters(("id" = "$response.body#/id")))),
        )),
        Usual, Invalid, Sending,
    ),
)]
pub(crate) async fn send(
    request: HttpRequest,
    payload: Payload,
    outlet: Data<Outlet>,
    replays: Data<Replays>,
) -> Result<HttpResponse, Problem> {
    let caller = sender(&request).await?;
    let key = idempotency::key(&request)?;
    let body = body::json(&request, payload, body::SEND).await?;
    let now = Timestamp::now();
    let message = request::message(body, "", now).map_err(Problem::invalid)?;
    let digest = digest(caller, &message)?;
    let message = at_once_if_past(message, now);
    let scheduled = message.scheduled_at.is_some();
    let id = key.map_or_else(|| MessageId(Uuid::now_v7()), |key| MessageId::derived(caller.tenant, key));
    if key.is_some()
        && let Request::Repeat(seen) = replays.look(caller.tenant, id, &digest).await?
    {
        let accepted = Accepted::of(id, seen.scheduled);
        return Ok(HttpResponse::Ok().insert_header(("Idempotent-Replayed", "true")).json(accepted));
    }
    outlet.publish(caller.tenant, &[queued(caller, id, now, digest.clone(), message)]).await?;
    if key.is_some() {
        replays.accepted(id, Seen { digest, scheduled });
    }
    Ok(HttpResponse::Ok().json(Accepted::of(id, scheduled)))
}

/// Sends several messages.
///
/// All or nothing, as far as faults go. With an `Idempotency-Key` each message's id is derived from the key, its place
/// and its content, so that a batch that was not confirmed can be sent again and goes out once.
#[utoipa::path(
    post, path = "/v1/messages/batch", tag = "Messages", operation_id = "sendBatch",
    params((
        "Idempotency-Key" = Option<String>, Header, nullable = false, example = "newsletter-7-part-1",
        min_length = 1, max_length = 256, pattern = "^[!-~]([ -~]*[!-~])?$",
        description = "Printable ASCII. The same key with the same batch is the same messages."
    )),
    request_body(
        content = NewBatch, description = "At most 20 MiB.",
        example = json!({"messages": [super::request::schema::example()]})
    ),
    responses(
        (status = 200, description = "All messages are safe in the queue, or on disk where a spool is set.", body = AcceptedBatch, headers(
            ("Idempotent-Replayed" = String, description = "`true` where the batch was accepted before; else absent."),
        )),
        Usual, Invalid, Sending,
    ),
)]
pub(super) async fn send_batch(
    request: HttpRequest,
    payload: Payload,
    outlet: Data<Outlet>,
    replays: Data<Replays>,
) -> Result<HttpResponse, Problem> {
    let caller = batch_sender(&request).await?;
    let read = read_batch(&request, payload).await;
    count_batch(&request, caller, &read)?;
    let messages = read?;
    let key = idempotency::key(&request)?;
    let now = Timestamp::now();
    let messages = numbered(caller, key, messages, now)?;
    let accepted: Vec<Accepted> =
        messages.iter().map(|next| Accepted::of(next.id, next.message.scheduled_at.is_some())).collect();
    let Some(key) = key else {
        outlet.publish(caller.tenant, &messages).await?;
        return Ok(HttpResponse::Ok().json(AcceptedBatch { data: accepted }));
    };
    // The batch as a whole is remembered under the key, as a single message would be.
    let whole = MessageId::derived(caller.tenant, key);
    // A batch of one message is another request than that message alone: their ids differ.
    let digests = messages.iter().map(|next| next.digest.as_str());
    let digest = ["batch"].into_iter().chain(digests).collect::<Vec<_>>().join("\n");
    if let Request::Repeat(_) = replays.look(caller.tenant, whole, &digest).await? {
        let mut answer = HttpResponse::Ok();
        return Ok(answer
            .insert_header(("Idempotent-Replayed", "true"))
            .json(AcceptedBatch { data: accepted }));
    }
    outlet.publish(caller.tenant, &messages).await?;
    replays.accepted(whole, Seen { digest, scheduled: false });
    Ok(HttpResponse::Ok().json(AcceptedBatch { data: accepted }))
}

/// The messages of a batch with their ids. The content is part of what an id is derived from: were another batch sent
/// under the same key, past every memory of the first, it would be another set of messages and not a silent repeat.
fn numbered(
    caller: Caller,
    key: Option<&str>,
    messages: Vec<Message>,
    now: Timestamp,
) -> Result<Vec<QueuedMessage>, Problem> {
    let numbered = messages.into_iter().enumerate().map(|(place, message)| {
        let digest = digest(caller, &message)?;
        let id = match key {
            Some(key) => MessageId::derived(caller.tenant, &format!("{key}\n{place}\n{digest}")),
            None => MessageId(Uuid::now_v7()),
        };
        Ok(queued(caller, id, now, digest, at_once_if_past(message, now)))
    });
    numbered.collect()
}

/// A scheduled time that has come is none. The digest is taken before, of the time as it was written: a repeat that
/// comes after that time is still the same request.
fn at_once_if_past(message: Message, now: Timestamp) -> Message {
    Message { scheduled_at: message.scheduled_at.filter(|&at| at > now), ..message }
}

/// The messages of a batch whose head and body are without faults.
async fn read_batch(request: &HttpRequest, payload: Payload) -> Result<Vec<Message>, Problem> {
    idempotency::key(request)?;
    batch(body::json(request, payload, body::SEND).await?, Timestamp::now())
}

/// All messages of a batch, or all the faults of all of them.
fn batch(body: Value, now: Timestamp) -> Result<Vec<Message>, Problem> {
    let fault = |pointer: &str, detail: String| Fault { pointer: pointer.to_owned(), detail };
    let Value::Object(mut object) = body else {
        return Err(Problem::invalid(vec![fault("", "is not an object".to_owned())]));
    };
    let list = match object.remove("messages") {
        Some(Value::Array(list)) if (1..=BATCH).contains(&list.len()) => list,
        _ => {
            return Err(Problem::invalid(vec![fault(
                "/messages",
                format!("is not an array of 1 to {BATCH} messages"),
            )]));
        }
    };
    let mut faults: Vec<Fault> = object
        .keys()
        .map(|name| fault(&format!("/{name}"), "is not a field that is known here".to_owned()))
        .collect();
    let mut messages = Vec::with_capacity(list.len());
    for (place, value) in list.into_iter().enumerate() {
        match request::message(value, &format!("/messages/{place}"), now) {
            Ok(message) => messages.push(message),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(messages) } else { Err(Problem::invalid(faults)) }
}

/// Tells one request's content from another's, however its JSON was laid out.
fn digest(caller: Caller, message: &Message) -> Result<String, Problem> {
    let text = serde_json::to_vec(message)
        .map_err(|_| Problem::new(Code::Internal, "The message cannot be encoded."))?;
    let mut hash = Sha256::new();
    hash.update([u8::from(caller.test)]);
    hash.update(text.len().to_be_bytes());
    hash.update(text);
    for file in &message.attachments {
        hash.update(file.content.len().to_be_bytes());
        hash.update(&file.content);
    }
    Ok(URL_SAFE_NO_PAD.encode(hash.finalize()))
}

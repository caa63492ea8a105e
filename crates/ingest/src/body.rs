//! Reading request bodies: bounded in size and in time, each and all together.
//!
//! What comes in one piece is in memory already. All else is read only once there is room for the whole of it, and holds
//! that room until it is answered; so any number of large requests wait for each other, and memory does not grow. Bodies of
//! the management API need no room: they are small, read only for good keys, and as many as there are connections.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{BytesMut, Data, Payload};
use actix_web::{HttpMessage as _, HttpRequest};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, Problem};

/// A body that carries messages: 15 MB of attachments in base64, and their texts.
pub(crate) const SEND: usize = 20 * 1024 * 1024;
/// A body of a webhook.
pub(crate) const WEBHOOK: usize = 10 * 1024 * 1024;
/// A body of the management API.
pub(crate) const MANAGE: usize = 64 * 1024;

/// From the end of the head to the last byte of the body. The server's own time limit covers the head only.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body waits for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// Room for bodies that do not come in one piece, of sends and of webhooks each: strangers who know a tenant's id may post
/// webhooks, and must not take the room of others. In memory a send takes about three times its body.
const ROOM: usize = 96 * 1024 * 1024;
/// The unit of room.
const UNIT: usize = 1024;

/// Room for bodies in this process.
pub(crate) struct Budget {
    sends: Arc<Semaphore>,
    webhooks: Arc<Semaphore>,
}

/// A body's room, kept with its request.
struct Held(#[expect(dead_code, reason = "held, and given back when it is dropped")] OwnedSemaphorePermit);

impl Budget {
    pub(crate) fn new() -> Self {
        let room = || Arc::new(Semaphore::new(ROOM / UNIT));
        Self { sends: room(), webhooks: room() }
    }

    async fn hold(&self, bytes: usize, limit: usize) -> Option<Held> {
        let room = if limit == SEND { &self.sends } else { &self.webhooks };
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(room).acquire_many_owned(units).await.ok().map(Held)
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced: usize = announced.unwrap_or(0);
    if announced > limit {
        return Err(too_large(limit));
    }
    let late = |_| Problem::new(Code::RequestTimeout, format!("The body took over {} s.", TIMEOUT.as_secs()));
    let mut gathering = pin!(gather(request, payload, announced, limit));
    // A small body comes with its head, and needs no clock.
    if let Poll::Ready(body) = futures_util::poll!(gathering.as_mut()) {
        return body;
    }
    tokio::time::timeout(TIMEOUT, gathering).await.map_err(late)?
}

/// Waits for room for a body, and keeps it with the request until that is answered.
async fn reserve(request: &HttpRequest, announced: usize, limit: usize) -> Result<(), Problem> {
    if limit == MANAGE {
        return Ok(());
    }
    // A body that does not say how long it is may be as long as it is allowed to.
    let bytes = if announced == 0 { limit } else { announced };
    let Some(budget) = request.app_data::<Data<Budget>>() else { return Ok(()) };
    let full = || {
        let detail = "Too many large requests are in progress. Nothing was accepted; try again.";
        Problem::new(Code::QueueUnavailable, detail)
    };
    let held =
        tokio::time::timeout(PATIENCE, budget.hold(bytes, limit)).await.ok().flatten().ok_or_else(full)?;
    request.extensions_mut().insert(held);
    Ok(())
}

async fn gather(
    request: &HttpRequest,
    mut payload: Payload,
    announced: usize,
    limit: usize,
) -> Result<Bytes, Problem> {
    let unreadable = |fault: PayloadError| {
        Problem::new(Code::MalformedJson, format!("The body could not be read: {fault}."))
    };
    let mut next = async || payload.next().await.transpose().map_err(unreadable);
    let first = next().await?.unwrap_or_default();
    let mut chunk = next().await?;
    // What comes in one piece is not copied. What is announced is reserved only up to a point: an announcement costs its
    // sender nothing.
    if chunk.is_none() && first.len() <= limit {
        return Ok(first);
    }
    reserve(request, announced, limit).await?;
    let mut body = BytesMut::with_capacity(announced.min(256 * 1024).max(first.len()));
    body.extend_from_slice(&first);
    while let Some(more) = chunk {
        if body.len() + more.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&more);
        chunk = next().await?;
    }
    if body.len() > limit { Err(too_large(limit)) } else { Ok(body.freeze()) }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("The body may have at most {limit} bytes."))
}

/// Reads a body as JSON.
pub(crate) async fn json(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Value, Problem> {
    parse(&read(request, payload, limit).await?)
}

/// What a body that was read says.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body)
        .map_err(|fault| Problem::new(Code::MalformedJson, format!("The body is not JSON: {fault}.")))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use actix_web::FromRequest as _;
    use actix_web::dev;
    use actix_web::test::TestRequest;
    use futures_util::{Stream, stream};

    use super::*;

    /// Reads a body that comes in two pieces while there is no room at all.
    async fn without_room(limit: usize) -> Option<Result<Bytes, Problem>> {
        let none = Budget { sends: Arc::new(Semaphore::new(0)), webhooks: Arc::new(Semaphore::new(0)) };
        let request = TestRequest::default().app_data(Data::new(none)).to_http_request();
        let pieces = ["{", "}"].map(|piece| Ok(Bytes::from(piece)));
        let pieces: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(stream::iter(pieces));
        let payload = Payload::from_request(&request, &mut dev::Payload::from(pieces)).await.unwrap();
        let mut reading = pin!(read(&request, payload, limit));
        match futures_util::poll!(reading.as_mut()) {
            Poll::Ready(body) => Some(body),
            Poll::Pending => None,
        }
    }

    #[actix_web::test]
    async fn management_does_not_wait_for_the_room_of_webhooks() {
        assert_eq!(without_room(MANAGE).await.unwrap().unwrap(), "{}");
        assert!(without_room(WEBHOOK).await.is_none() && without_room(SEND).await.is_none());
    }
}

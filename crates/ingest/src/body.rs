//! Reading request bodies: bounded in size and in time.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{BytesMut, Payload};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::problem::{Code, Problem};

/// A body that carries messages: 15 MB of attachments in base64, and their texts.
pub(crate) const SEND: usize = 20 * 1024 * 1024;
/// A body of a webhook.
pub(crate) const WEBHOOK: usize = 10 * 1024 * 1024;
/// A body of the management API.
pub(crate) const MANAGE: usize = 64 * 1024;

/// From the end of the head to the last byte of the body. The server's own time limit covers the head only.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced: usize = announced.unwrap_or(0);
    if announced > limit {
        return Err(too_large(limit));
    }
    let late = |_| Problem::new(Code::RequestTimeout, format!("The body took over {} s.", TIMEOUT.as_secs()));
    let mut gathering = pin!(gather(payload, announced, limit));
    // A small body comes with its head, and needs no clock.
    if let Poll::Ready(body) = futures_util::poll!(gathering.as_mut()) {
        return body;
    }
    tokio::time::timeout(TIMEOUT, gathering).await.map_err(late)?
}

async fn gather(mut payload: Payload, announced: usize, limit: usize) -> Result<Bytes, Problem> {
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
    let body = read(request, payload, limit).await?;
    serde_json::from_slice(&body)
        .map_err(|fault| Problem::new(Code::MalformedJson, format!("The body is not JSON: {fault}.")))
}

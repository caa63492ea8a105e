//! The send endpoint itself, and the faults that strike it.

use std::{sync::Arc, time::Duration};

use actix_web::{Error, HttpRequest, HttpResponse, http::header::ContentType, web};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    call,
    desk::{Arrival, Desk},
    refusal::Refusal,
    reply,
};
use crate::{
    connection,
    faults::{FaultBoard, FaultKind},
    gate::{Gate, UNAUTHORIZED},
};

/// Bytes of a body at most: 15 MB of attachments in base64, and room for text.
pub(crate) const MOST_BYTES: usize = 25 * 1024 * 1024;

/// What a call meets on its way in and out.
#[derive(Debug)]
pub(crate) struct Counter {
    /// Lets callers in.
    pub(crate) gate: Arc<Gate>,
    /// What goes wrong.
    pub(crate) faults: Arc<FaultBoard>,
    /// Where messages are accepted.
    pub(crate) desk: Desk,
    /// How long a call takes before it is looked at.
    pub(crate) latency: Duration,
}

/// `POST /v3.1/send`.
pub(crate) async fn send(
    request: HttpRequest,
    body: Result<web::Bytes, Error>,
    counter: web::Data<Counter>,
) -> HttpResponse {
    let arrival = Arrival { number: counter.desk.stats.calls.next(), at: Timestamp::now() };
    if !counter.latency.is_zero() {
        sleep(counter.latency).await;
    }
    let (api_key, call) = match admit(&request, body.as_deref(), &counter) {
        Ok(admitted) => admitted,
        Err(denial) => {
            counter.desk.stats.refused_calls.add(1);
            return denied(&denial, &request);
        }
    };
    // Nothing may wait between here and the end of acceptance: a client that goes away must not halve a call.
    let outcomes = counter.desk.handle(call, &api_key, arrival);
    let (status, answer) = reply::outcomes(&outcomes);
    if counter.faults.strike(FaultKind::DropAfterAccept).is_some() {
        return cut(&request);
    }
    if let Some(delay) = counter.faults.strike(FaultKind::Delay) {
        sleep(delay).await;
    }
    if counter.faults.strike(FaultKind::Garbage).is_some() {
        let mut text = answer.to_string();
        text.truncate(text.floor_char_boundary(text.len() / 2));
        return HttpResponse::Ok().content_type(ContentType::json()).body(text);
    }
    HttpResponse::build(status).json(answer)
}

/// Why a call is not looked at message by message.
enum Denial {
    /// It has no answer at all.
    Cut,
    /// It comes too soon after others.
    TooOften,
    /// It is answered with one error for all of it.
    Refused(Refusal),
}

/// The API key and the call, if nothing stands against the call as a whole.
fn admit(
    request: &HttpRequest,
    body: Result<&[u8], &Error>,
    counter: &Counter,
) -> Result<(String, call::Call), Denial> {
    let faults = &counter.faults;
    if faults.strike(FaultKind::DropBefore).is_some() {
        return Err(Denial::Cut);
    }
    let unauthorized = || Denial::Refused(Refusal::new("", UNAUTHORIZED).with_status(401));
    let api_key = counter.gate.admit(request).ok_or_else(unauthorized)?;
    if faults.strike(FaultKind::Unauthorized).is_some() {
        return Err(unauthorized());
    }
    let in_rate = counter.gate.within_rate(&api_key, Instant::now());
    if !in_rate || faults.strike(FaultKind::RateLimit).is_some() {
        return Err(Denial::TooOften);
    }
    if faults.strike(FaultKind::ServerError).is_some() {
        return Err(Denial::Refused(Refusal::new("", "Internal server error").with_status(500)));
    }
    let body = body.map_err(|_| Denial::Refused(too_large()))?;
    let call = call::read(body).map_err(Denial::Refused)?;
    Ok((api_key, call))
}

fn denied(denial: &Denial, request: &HttpRequest) -> HttpResponse {
    match denial {
        Denial::Cut => cut(request),
        // The gateway in front of the API answers this, and does not speak JSON.
        Denial::TooOften => {
            HttpResponse::TooManyRequests().content_type(ContentType::html()).body("Rate limit exceeded")
        }
        Denial::Refused(refusal) => reply::refused(refusal),
    }
}

fn too_large() -> Refusal {
    Refusal::new("mj-0011", format!("The payload is too large. Max allowed - {MOST_BYTES} bytes."))
        .with_status(413)
}

/// Closes the connection. The answer is for the server alone; it has nowhere to go.
fn cut(request: &HttpRequest) -> HttpResponse {
    connection::close(request);
    HttpResponse::InternalServerError().force_close().finish()
}

//! The send endpoint itself, and the faults that strike it.

use std::{sync::Arc, time::Duration};

use actix_web::{Error, HttpRequest, HttpResponse, http::header::ContentType, web};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{call, desk::Desk, refusal::Refusal, reply};
use crate::{
    connection,
    faults::{FaultBoard, FaultKind},
    gate::{BLOCKED, Gate, UNAUTHORIZED},
    ledger::Acceptance,
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
    // Taken before any latency.
    let (number, received_at) = (counter.desk.stats.calls.next(), Timestamp::now());
    let _open = counter.desk.stats.open_calls.enter();
    if !counter.latency.is_zero() {
        sleep(counter.latency).await;
    }
    let (api_key, call) = match admit(&request, body.as_deref(), &counter, (number, received_at)) {
        Ok(admitted) => admitted,
        Err(denial) => {
            counter.desk.stats.refused_calls.add(1);
            return denied(&denial, &request);
        }
    };
    // Nothing may wait between here and the end of acceptance: a client that goes away must not halve a call.
    let strike = |kind| counter.faults.strike(kind, &api_key);
    let spoilt = strike(FaultKind::Partial).map(|_| counter.faults.draw(call.messages.len()));
    let under = Acceptance { api_key: &api_key, sandbox: call.sandbox, call: number, received_at };
    let outcomes = counter.desk.handle(call, spoilt, under);
    let (status, answer) = reply::outcomes(&outcomes);
    if strike(FaultKind::DropAfterAccept).is_some() {
        return cut(&request);
    }
    if strike(FaultKind::Hang).is_some() {
        connection::gone(&request).await;
        return cut(&request);
    }
    if let Some(delay) = strike(FaultKind::Delay) {
        sleep(delay).await;
    }
    if strike(FaultKind::ServerErrorAfterAccept).is_some() {
        return reply::refused(&server_error());
    }
    if strike(FaultKind::Garbage).is_some() {
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
    (number, received_at): (u64, Timestamp),
) -> Result<(String, call::Call), Denial> {
    let admitted = counter.gate.admit(request);
    let strikes = |kind| counter.faults.strike(kind, admitted.as_deref().unwrap_or_default()).is_some();
    if strikes(FaultKind::DropBefore) {
        return Err(Denial::Cut);
    }
    let unauthorized = || Denial::Refused(Refusal::new("", UNAUTHORIZED).with_status(401));
    let api_key = admitted.clone().ok_or_else(unauthorized)?;
    if strikes(FaultKind::Unauthorized) {
        return Err(unauthorized());
    }
    if strikes(FaultKind::BlockedAccount) {
        return Err(Denial::Refused(Refusal::new("mj-0001", BLOCKED).with_status(401)));
    }
    let in_rate = counter.gate.within_rate(&api_key, Instant::now());
    if !in_rate || strikes(FaultKind::RateLimit) {
        return Err(Denial::TooOften);
    }
    if strikes(FaultKind::ServerError) {
        return Err(Denial::Refused(server_error()));
    }
    let body = body.map_err(|_| Denial::Refused(too_large()))?;
    let call = call::read(body).map_err(Denial::Refused)?;
    counter.desk.stats.most_recipients.at_least(call.recipients());
    if let Err(refusal) = call.check() {
        let under = Acceptance { api_key: &api_key, sandbox: call.sandbox, call: number, received_at };
        counter.desk.refuse(&call, &refusal, under);
        return Err(Denial::Refused(refusal));
    }
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

fn server_error() -> Refusal {
    Refusal::new("", "Internal server error").with_status(500)
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

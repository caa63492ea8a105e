//! Readers that nobody else may call, for the fuzz targets; only they are built with this module.

use actix_web::test::TestRequest;
use domain::Message;
use jiff::Timestamp;

use crate::{body, door, page};

/// Reads a body as a message, as `POST /v1/messages` does.
pub fn send_request(bytes: &[u8], now: Timestamp) -> Option<Message> {
    door::message(body::parse(bytes).ok()?, "", now).ok()
}

/// Reads the header `Idempotency-Key`.
pub fn idempotency_key(value: &[u8]) -> Option<String> {
    let request = TestRequest::default().insert_header(("idempotency-key", value)).to_http_request();
    door::key(&request).ok().flatten().map(str::to_owned)
}

/// Reads the query of a list that has nothing but pages: its limit, and its cursor in plain.
pub fn paging(query: &str) -> Option<(usize, Option<String>)> {
    let uri = format!("/v1/domains?{query}");
    let request =
        uri.parse::<actix_web::http::Uri>().ok().map(|_| TestRequest::with_uri(&uri).to_http_request())?;
    let mut parameters = page::Parameters::of(&request);
    let (limit, after) = (parameters.limit(), parameters.cursor(|text| Some(text.to_owned())));
    parameters.finish().ok().map(|()| (limit, after))
}

/// A cursor that leads to this place.
pub fn cursor(place: &str) -> String {
    page::cursor_of(place)
}

//! Counting requests. Paths are counted as patterns and never logged with their query, which may hold a token.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use tokio::time::Instant;

/// A method as a label. Those that nothing here takes are one: a caller could make up any number.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

pub(crate) async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let response = next.call(request).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16().to_string();
    let method = method(response.request().method());
    let took = started.elapsed().as_secs_f64();
    tracing::debug!(method, route, status, took);
    metrics::histogram!("raven_http_request_seconds", "route" => route.clone()).record(took);
    metrics::counter!("raven_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    Ok(response)
}

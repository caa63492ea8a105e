//! The controls of the stand-in, which the real service does not have: no authentication, JSON throughout.

mod callbacks;
mod dns;
mod events;
mod faults;
mod messages;
mod page;
pub(crate) mod stats;

use actix_web::{HttpResponse, ResponseError, http::StatusCode, web};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Mounts every control.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .configure(messages::mount)
        .configure(stats::mount)
        .configure(events::mount)
        .configure(dns::mount)
        .configure(callbacks::mount)
        .configure(faults::mount)
        .configure(page::mount)
        .route("/healthz", web::get().to(HttpResponse::Ok));
}

/// Why an order cannot be carried out.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    /// It makes no sense, or there is no room for it.
    #[error("{0}")]
    Refused(String),
    /// It is about something that does not exist.
    #[error("no such {0}")]
    NotFound(&'static str),
}

impl ResponseError for OrderError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

/// Reads the body of an order.
fn order<T: DeserializeOwned>(body: &[u8]) -> Result<T, OrderError> {
    serde_json::from_slice(body).map_err(|error| OrderError::Refused(error.to_string()))
}

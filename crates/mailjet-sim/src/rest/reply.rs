//! Answers of the REST resources: lists of rows, and errors of their own shape.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::{Map, Value, json};

/// An error of a REST resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestError {
    status: u16,
    message: String,
}

impl RestError {
    /// An error with this HTTP status.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// What was asked for does not exist.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "Object not found")
    }
}

impl fmt::Display for RestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for RestError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({
            "ErrorInfo": "",
            "ErrorMessage": self.message,
            "StatusCode": self.status,
        }))
    }
}

/// Rows as Mailjet wraps them. `Total` is what this page holds, as it is there.
pub(crate) fn rows(rows: &[Value]) -> Value {
    json!({"Count": rows.len(), "Data": rows, "Total": rows.len()})
}

/// The answer 200 with rows.
pub(crate) fn ok(list: &[Value]) -> HttpResponse {
    HttpResponse::Ok().json(rows(list))
}

/// Reads a body that has to be an object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, RestError> {
    serde_json::from_slice(body).map_err(|error| RestError::new(400, format!("Malformed JSON: {error}")))
}

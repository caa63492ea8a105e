//! The REST resources under `/v3/REST`: rows in an envelope, and errors of another shape than the Send API's.

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::Value;

use crate::client::{Client, Credentials};

/// Rows asked for at once; without a limit Mailjet answers ten.
const PAGE: usize = 1000;
/// Pages that are read at most, so that a list that never ends does.
const PAGES: usize = 100;

/// Why a resource could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// Mailjet does not accept the API key or the secret.
    #[error("Mailjet does not accept the API key or the secret: {0}")]
    Unauthorized(String),
    /// Mailjet will not do this, now or later.
    #[error("Mailjet refused this ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Mailjet's words.
        message: String,
    },
    /// Mailjet takes no more calls from this account for the moment.
    #[error("Mailjet takes no more calls from this account for the moment")]
    RateLimited,
    /// Mailjet did not answer, or not in a way that can be read. What was asked for may have been done.
    #[error("Mailjet did not answer: {0}")]
    Unavailable(String),
}

/// One account's resources.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    client: &'a Client,
    account: &'a Credentials,
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The row as it is now.
    To(Value),
    /// It was so already (HTTP 304).
    Already,
}

impl Client {
    /// The resources of an account.
    pub fn rest<'a>(&'a self, account: &'a Credentials) -> Rest<'a> {
        Rest { client: self, account }
    }
}

impl Rest<'_> {
    /// Every row of a resource that passes `filters` (`GET /v3/REST/{resource}`).
    pub(crate) async fn list(
        self,
        resource: &str,
        filters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RestError> {
        let mut all = Vec::new();
        for page in 0..PAGES {
            let (limit, offset) = (PAGE.to_string(), (page * PAGE).to_string());
            let paging = [("Limit", limit.as_str()), ("Offset", offset.as_str())];
            let request = self.request(Method::GET, resource).query(filters).query(&paging);
            let (_, body) = self.answer(request).await?;
            let rows = rows(body)?;
            let last = rows.len() < PAGE;
            all.extend(rows);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// One row, if there is such a one (`GET /v3/REST/{path}`).
    pub(crate) async fn get(self, path: &str) -> Result<Option<Value>, RestError> {
        match self.answer(self.request(Method::GET, path)).await {
            Ok((_, body)) => Ok(rows(body)?.into_iter().next()),
            Err(RestError::Refused { status: 404, .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Creates a row, or does what the path names (`POST /v3/REST/{path}`); answers the first row.
    pub(crate) async fn post(self, path: &str, body: &impl Serialize) -> Result<Value, RestError> {
        let (_, body) = self.answer(self.request(Method::POST, path).json(body)).await?;
        first(body)
    }

    /// Changes the properties given, and no others (`PUT /v3/REST/{path}`).
    pub(crate) async fn put(self, path: &str, body: &impl Serialize) -> Result<Changed, RestError> {
        let (status, body) = self.answer(self.request(Method::PUT, path).json(body)).await?;
        if status == StatusCode::NOT_MODIFIED { Ok(Changed::Already) } else { first(body).map(Changed::To) }
    }

    /// Deletes a row; answers whether there was one (`DELETE /v3/REST/{path}`).
    pub(crate) async fn delete(self, path: &str) -> Result<bool, RestError> {
        match self.answer(self.request(Method::DELETE, path)).await {
            Ok(_) => Ok(true),
            Err(RestError::Refused { status: 404, .. }) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn request(self, method: Method, path: &str) -> RequestBuilder {
        let (key, secret) = (self.account.api_key.expose_secret(), self.account.api_secret.expose_secret());
        let url = self.client.url(&format!("v3/REST/{path}"));
        self.client.http().request(method, url).basic_auth(key, Some(secret))
    }

    async fn answer(self, request: RequestBuilder) -> Result<(StatusCode, Value), RestError> {
        // Without its URL, in which a callback's token may stand.
        let failed = |fault: reqwest::Error| RestError::Unavailable(fault.without_url().to_string());
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(failed)?;
        // Errors of a gateway, and 204 and 304, have no JSON.
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let words = || body["ErrorMessage"].as_str().unwrap_or_default().to_owned();
        match status.as_u16() {
            200..=299 | 304 => Ok((status, body)),
            401 => Err(RestError::Unauthorized(words())),
            429 => Err(RestError::RateLimited),
            408 | 500.. => Err(RestError::Unavailable(format!("{status} {}", words()).trim().to_owned())),
            number => Err(RestError::Refused { status: number, message: words() }),
        }
    }
}

fn rows(mut body: Value) -> Result<Vec<Value>, RestError> {
    match body.get_mut("Data").map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(RestError::Unavailable("its answer cannot be read".to_owned())),
    }
}

fn first(body: Value) -> Result<Value, RestError> {
    // Some actions are documented to answer their one row without the envelope.
    if body.as_object().is_some_and(|row| !row.is_empty() && !row.contains_key("Data")) {
        return Ok(body);
    }
    let row = rows(body)?.into_iter().next();
    row.ok_or_else(|| RestError::Unavailable("its answer holds no row".to_owned()))
}

//! The few HTTP calls of a task runner: small JSON, short limits, statuses as values.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;

use crate::secret::base64;

/// An HTTP client.
pub(crate) struct Http(Agent);

/// A status and the JSON that came with it, if any did.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether the status is one of success.
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A request header.
pub(crate) type Header<'a> = (&'a str, String);

/// Basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> Header<'static> {
    ("authorization", format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
}

impl Http {
    /// A client that waits at most 10 s for an answer and trusts no proxy setting: all it calls is on this machine.
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Self(config.into())
    }

    /// GET.
    pub(crate) fn get(&self, url: &str, header: Option<&Header<'_>>) -> Result<Answer> {
        let mut request = self.0.get(url);
        if let Some((name, value)) = header {
            request = request.header(*name, value);
        }
        read(request.call().with_context(|| format!("GET {url}"))?)
    }

    /// POST of JSON.
    pub(crate) fn post(&self, url: &str, header: &Header<'_>, body: &Value) -> Result<Answer> {
        let request = self.0.post(url).header(header.0, &header.1);
        read(request.send_json(body).with_context(|| format!("POST {url}"))?)
    }

    /// PUT of JSON.
    pub(crate) fn put(&self, url: &str, header: &Header<'_>, body: &Value) -> Result<Answer> {
        let request = self.0.put(url).header(header.0, &header.1);
        read(request.send_json(body).with_context(|| format!("PUT {url}"))?)
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string()?;
    // Text that is no JSON is kept as it is, for the message that will show it.
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, body })
}

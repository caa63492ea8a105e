//! Requests, and answers that are read to their end.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("no JSON ({fault}): {self:?}"))
    }

    /// The body as JSON, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as a problem with this status and code, its form checked.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.header("content-type").starts_with("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{problem}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member}: {problem}");
        }
        problem
    }
}

/// The client of all tests.
pub(crate) fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        service::program::install_tls();
        let client = Client::builder().no_proxy();
        // Each test has a runtime of its own, so a connection must not outlive the request that made it.
        let client = client.pool_max_idle_per_host(0);
        // Longer than any answer may take; a hang then fails with words.
        client.timeout(Duration::from_secs(30)).build().expect("a client")
    })
}

/// Sends; a request without an answer fails the test.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap_or_else(|fault| panic!("no answer: {fault:?}"))
}

/// Sends.
pub(crate) async fn try_send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

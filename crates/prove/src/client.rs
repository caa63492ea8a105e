//! A client that gives up on a request in time, as real ones do.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was answered, with this body if that is JSON.
    Status(u16, Value),
    /// Nobody knows what became of it.
    Nothing,
}

impl Answer {
    /// The body, if the status is this one.
    pub(crate) fn body(self, status: u16) -> Option<Value> {
        match self {
            Self::Status(its, body) if its == status => Some(body),
            _ => None,
        }
    }

    /// Whether it should be tried again: no answer, or one that asks for that. 408 is what a request gets that was held up on
    /// its way (RFC 9110, section 15.5.9).
    pub(crate) fn is_for_now(&self) -> bool {
        matches!(self, Self::Nothing | Self::Status(408 | 503, _))
    }
}

/// The one client.
pub(crate) fn http() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let client = Client::builder().no_proxy();
        // A connection through a proxy that swallows must not be taken up again for the next request.
        let client = client.pool_max_idle_per_host(0);
        let client = client.connect_timeout(Duration::from_secs(2)).timeout(Duration::from_secs(8));
        client.build().unwrap_or_default()
    })
}

/// Sends, and reads the answer to its end.
pub(crate) async fn ask(request: RequestBuilder) -> Answer {
    let read = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    };
    match read.await {
        Ok((status, body)) => Answer::Status(status, serde_json::from_slice(&body).unwrap_or(Value::Null)),
        Err(_) => Answer::Nothing,
    }
}

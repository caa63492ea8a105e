//! The HTTP client: one for a process, every call under a time limit.

use std::fmt;
use std::time::Duration;

use domain::{Acceptance, MessageId, Outcome, Reason};
use reqwest::{StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use crate::request::{Outgoing, SendRequest};
use crate::{answer, look_up};

/// Idle connections are dropped before the other side is likely to: a request that meets a closing connection has an
/// uncertain outcome.
const IDLE: Duration = Duration::from_secs(20);
/// Of the whole time of a call, what connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An account's API key and secret, as HTTP Basic user and password.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub api_key: SecretString,
    /// The password.
    pub api_secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The answer to one call of the Send API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// One outcome for each message, in order.
    Each(Vec<Outcome>),
    /// The same outcome for all of them.
    All(Outcome),
    /// Mailjet took nothing on, for a cause in one or some of the messages: send them apart to find it. Of a single
    /// message this means refused.
    Culprit(Reason),
}

/// What Mailjet knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// It has it, with these recipients.
    Found(Vec<Acceptance>),
    /// It has not heard of it, or not yet: its index lags by a time that is not documented.
    NotHeard,
    /// It did not say.
    Unavailable(Reason),
}

/// `MAILJET_URL` is no base URL.
#[derive(Debug, thiserror::Error)]
#[error("is not a URL such as https://api.mailjet.com")]
pub struct InvalidUrl;

/// A client; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
}

impl Client {
    /// Prepares a client of the API at `base`; `timeout` is for one call, from connect to last byte.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, InvalidUrl> {
        let mut base: Url = base.parse().map_err(|_| InvalidUrl)?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidUrl);
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(IDLE)
            .redirect(redirect::Policy::none())
            .user_agent("raven")
            .build()
            .map_err(|_| InvalidUrl)?;
        Ok(Self { http, base, timeout })
    }

    /// The longest that one call takes.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    /// Hands messages over in one call (`POST /v3.1/send`). At most 50 recipients in all; the caller sees to that.
    pub async fn send(&self, account: &Credentials, sandbox: bool, messages: &[Outgoing<'_>]) -> SendAnswer {
        let request = SendRequest::of(messages, sandbox);
        let sent = self
            .http
            .post(self.url("v3.1/send"))
            .basic_auth(account.api_key.expose_secret(), Some(account.api_secret.expose_secret()))
            .json(&request)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(fault) => return SendAnswer::All(answer::failure(&fault)),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) => answer::read(status, &body, messages),
            // The head of a refusal is enough to know that nothing was taken on.
            Err(_) if status == StatusCode::TOO_MANY_REQUESTS => answer::read(status, b"", messages),
            Err(fault) => SendAnswer::All(answer::failure(&fault)),
        }
    }

    /// Asks what became of a message (`GET /v3/REST/message`). Every row is compared here, since Mailjet answers an
    /// unknown filter with the latest messages of all.
    pub async fn look_up(&self, account: &Credentials, id: MessageId) -> LookUp {
        let mut url = self.url("v3/REST/message");
        url.query_pairs_mut()
            .append_pair("CustomID", &id.to_string())
            .append_pair("ShowCustomID", "true")
            .append_pair("ShowContactAlt", "true")
            .append_pair("Limit", "100");
        let sent = self
            .http
            .get(url)
            .basic_auth(account.api_key.expose_secret(), Some(account.api_secret.expose_secret()))
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(fault) => return LookUp::Unavailable(answer::words("look_up_failed", &fault)),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) => look_up::read(status, &body, id),
            Err(fault) => LookUp::Unavailable(answer::words("look_up_failed", &fault)),
        }
    }
}

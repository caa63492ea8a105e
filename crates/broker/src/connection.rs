//! Connecting, under a time limit.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret as _, SecretString};

/// From the first packet to the open connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds between heartbeats; a peer is given up after two of them are missed. Where a network forgets a connection
/// without a word, nothing else tells; shorter ones take a busy broker for a dead one.
const HEARTBEAT: u16 = 5;

/// Where RabbitMQ is. The password in it stays out of debug output.
#[derive(Clone)]
pub struct BrokerUrl(SecretString);

/// The text of `AMQP_URL` is no AMQP URL.
#[derive(Debug, thiserror::Error)]
#[error("is not an AMQP URL such as amqp://user:password@host:5672/vhost")]
pub struct InvalidUrl;

impl BrokerUrl {
    /// Checks the form of a URL.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        text.parse::<AMQPUri>().map_err(|_| InvalidUrl)?;
        Ok(Self(SecretString::from(text)))
    }

    fn uri(&self) -> Result<AMQPUri, String> {
        let mut uri: AMQPUri = self.0.expose_secret().parse()?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(uri)
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrokerUrl")
    }
}

/// Opens a connection that the broker lists as `name`.
pub(crate) async fn connect(url: &BrokerUrl, name: &str) -> Result<Connection, String> {
    let options = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(url.uri()?, options);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())),
    }
}

//! Connecting, under a time limit.

use std::time::Duration;
use std::{fmt, io};

use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;

/// From the first packet to the open connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds between heartbeats; a peer is given up after two of them are missed. Where a network forgets a connection
/// without a word, nothing else tells; shorter ones take a busy broker for a dead one.
const HEARTBEAT: u16 = 5;
/// What a client says first.
const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

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

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConnected {
    /// Nobody said anything.
    #[error("no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Silent,
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// Opens a connection that the broker lists as `name`.
pub(crate) async fn connect(url: &BrokerUrl, name: &str) -> Result<Connection, NotConnected> {
    let options = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(url.uri().map_err(NotConnected::Failed)?, options);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(|fault| NotConnected::Failed(fault.to_string())),
        Err(_) => Err(NotConnected::Silent),
    }
}

/// Whether somebody says something there, who was silent before. What the library began with a silent peer it never ends,
/// a thread and a socket, so each attempt after such a one knocks first. Behind TLS this is not found out.
pub(crate) async fn knock(url: &BrokerUrl) -> Result<(), NotConnected> {
    let uri = url.uri().map_err(NotConnected::Failed)?;
    if uri.scheme == AMQPScheme::AMQPS {
        return Ok(());
    }
    let knocking = async {
        let door = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?;
        door.writable().await?;
        // Of eight bytes on a new connection either all are taken or none. A broker then begins to speak (AMQP 0-9-1, 2.2.4).
        door.try_write(HEADER)?;
        door.readable().await
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, knocking).await {
        Ok(heard) => heard.map_err(|fault: io::Error| NotConnected::Failed(fault.to_string())),
        Err(_) => Err(NotConnected::Silent),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn only_who_is_silent_is_not_asked_in() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = BrokerUrl::parse(&format!("amqp://{}", listener.local_addr().unwrap())).unwrap();
        let (heard, ()) = tokio::join!(knock(&url), async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut header = [0; HEADER.len()];
            peer.read_exact(&mut header).await.unwrap();
            assert_eq!(header, HEADER);
            peer.write_all(b"\x01").await.unwrap();
        });
        heard.unwrap();

        tokio::time::pause();
        assert!(matches!(knock(&url).await, Err(NotConnected::Silent)));
        drop(listener);
        assert!(matches!(knock(&url).await, Err(NotConnected::Failed(_))));
    }
}

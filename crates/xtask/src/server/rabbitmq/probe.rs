//! Whether a node takes work: an open port alone says nothing, since a node listens before it can serve.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::config::Ports;
use crate::http::{Http, basic};

/// How an AMQP 0-9-1 client opens a connection.
const HELLO: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
const PATIENCE: Duration = Duration::from_secs(3);

/// Fails until the node of this name answers both AMQP and the management API.
pub(super) fn ready(http: &Http, ports: &Ports, node: &str) -> Result<()> {
    handshake(ports.amqp)?;
    let url = format!("http://127.0.0.1:{}/api/overview", ports.management);
    let answer = http.get(&url, Some(&basic("guest", "guest")))?;
    ensure!(answer.status == 200, "the management API answers {}", answer.status);
    ensure!(answer.body["node"] == node, "another RabbitMQ answers on port {}", ports.management);
    Ok(())
}

fn handshake(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(HELLO)?;
    let mut frame = [0; 11];
    stream.read_exact(&mut frame)?;
    ensure!(is_start(&frame), "port {port} does not speak AMQP");
    Ok(())
}

/// `connection.start`: a method frame (1) on channel 0, then any size, class 10, method 10.
fn is_start(frame: &[u8; 11]) -> bool {
    frame[..3] == [1, 0, 0] && frame[7..] == [0, 10, 0, 10]
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that answers one connection with these bytes.
    fn answering(bytes: &'static [u8]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 8];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(bytes).unwrap();
        });
        port
    }

    #[test]
    fn connection_start_is_ready() {
        assert!(handshake(answering(b"\x01\x00\x00\x00\x00\x01\xf0\x00\x0a\x00\x0a")).is_ok());
    }

    #[test]
    fn a_server_that_refuses_the_protocol_or_hangs_up_is_not() {
        assert!(handshake(answering(b"AMQP\x00\x00\x09\x01...")).is_err());
        assert!(handshake(answering(b"")).is_err());
    }
}

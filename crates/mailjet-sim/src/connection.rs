//! The TCP connection of a request: closing it for real in the middle of the request, and seeing its client go.

use std::{
    any::Any,
    io::ErrorKind,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use actix_web::{HttpRequest, dev::Extensions};
use tokio::time::sleep;

/// How often is looked whether a client has gone.
const LOOK: Duration = Duration::from_millis(20);

/// A second handle on the socket of a connection.
struct Socket(TcpStream);

/// Keeps a handle on each new connection, for [`close`] and [`gone`].
pub(crate) fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<actix_web::rt::net::TcpStream>();
    if let Some(socket) = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok()) {
        extensions.insert(Socket(TcpStream::from(socket)));
    }
}

/// Closes the connection of a request, so that no byte of an answer reaches the client.
pub(crate) fn close(request: &HttpRequest) {
    let closed = request.conn_data::<Socket>().map(|socket| socket.0.shutdown(Shutdown::Both));
    if !matches!(closed, Some(Ok(()))) {
        tracing::debug!("a connection was closed already");
    }
}

/// Waits until the client has closed the connection of a request. The server itself does not look while a call is being
/// handled, and handles it to its end, as the real service would.
pub(crate) async fn gone(request: &HttpRequest) {
    let is_open = || {
        let peeked = request.conn_data::<Socket>().map(|socket| socket.0.peek(&mut [0]));
        matches!(peeked, Some(Ok(1..)))
            || matches!(peeked, Some(Err(why)) if why.kind() == ErrorKind::WouldBlock)
    };
    while is_open() {
        sleep(LOOK).await;
    }
}

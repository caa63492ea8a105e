//! Closing a TCP connection for real, in the middle of a request.

use std::{
    any::Any,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
};

use actix_web::{HttpRequest, dev::Extensions};

/// A second handle on the socket of a connection.
struct Socket(TcpStream);

/// Keeps a handle on each new connection, for [`close`].
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

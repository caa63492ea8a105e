//! The HTTP server: how many connections it holds, and how long it bears with each.

mod patience;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

pub(crate) use self::patience::Patience;
use self::patience::Patient;

/// Connections that are held open; those that come after wait in the system's own queue. Each takes some 20 KB while it does
/// nothing, and up to 150 KB while its head comes in.
const CONNECTIONS: usize = 20_000;
/// Files and connections besides.
const OTHERS: usize = 256;
/// Connections that wait to be taken; the system may allow fewer.
const BACKLOG: u32 = 4096;
/// From the beginning of a connection to the end of its first head.
const HEAD: Duration = Duration::from_secs(5);
/// From an answer to the first byte of the next request.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long the peer has to end its half.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Listens, with room for many who come at once.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves until `shutdown`, and answers what has begun by then.
pub(crate) async fn serve<F, I, S, B>(
    listener: TcpListener,
    app: F,
    grace: Duration,
    shutdown: &CancellationToken,
) -> std::io::Result<()>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Future: 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::Response: Into<Response<B>> + 'static,
    S::InitError: fmt::Debug,
    B: MessageBody + 'static,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let connections = CONNECTIONS.min(service::descriptors::limit().saturating_sub(OTHERS)) / threads;
    let address = listener.local_addr()?;
    let builder = Server::build()
        .workers(threads)
        .max_concurrent_connections(connections.max(1))
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
    let ending = builder.graceful_shutdown_signal();
    let server = builder.listen("ingest", listener, move || {
        let ending = ending.clone();
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(DISCONNECT)
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .local_addr(address)
            .on_connect_ext(|io: &Patient<TcpStream>, data: &mut Extensions| {
                data.insert(io.patience());
            });
        let app = app().into_factory().map_err(|fault| fault.into().error_response());
        let patient = |io: TcpStream| async move {
            let peer = io.peer_addr().ok();
            Ok::<_, DispatchError>((Patient::new(io), peer))
        };
        fn_service(patient).and_then(http.h1(map_config(app, |()| AppConfig::default())))
    })?;
    let server = server.run();
    let handle = server.handle();
    let stop = async {
        shutdown.cancelled().await;
        handle.stop(true).await;
    };
    let serve = async {
        let served = server.await;
        // Should the server end by itself, everything ends.
        shutdown.cancel();
        served
    };
    let (served, ()) = tokio::join!(serve, stop);
    served
}

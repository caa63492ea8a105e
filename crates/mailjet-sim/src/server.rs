//! The server: the application on a socket, and the tasks beside it.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpServer};
use rustls::crypto::CryptoProvider;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Settings,
    app::Parts,
    connection,
    events::{courier, outbox::Tasks},
};

/// How long calls under way may take to end after shutdown is asked for.
const GRACE: Duration = Duration::from_millis(700);

/// Serves on the listener (not on [`Settings::listen`], which is for the program) until `shutdown` is cancelled; then ends within a second. Everything it held is
/// gone afterwards. The process must have a default TLS provider installed.
///
/// # Errors
///
/// If there is no TLS provider, or the server cannot use the listener or fails later.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    if CryptoProvider::get_default().is_none() {
        return Err(Error::NoTlsProvider);
    }
    let client = courier::client().map_err(Error::Client)?;
    let address = listener.local_addr().map_err(Error::Server)?;
    // The tasks end with the server, also when it fails by itself.
    let ending = shutdown.child_token();
    let _guard = ending.clone().drop_guard();
    let tracker = TaskTracker::new();
    let tasks = Tasks { runtime: Handle::current(), tracker: tracker.clone(), shutdown: ending.clone() };
    let parts = Parts::new(&settings, client, tasks);

    let post = parts.post.clone();
    let until = ending.clone();
    tracker.spawn(async move { post.run(until).await });

    let server = HttpServer::new(move || {
        let parts = parts.clone();
        App::new().configure(|config| parts.mount(config))
    })
    .on_connect(connection::remember)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener)
    .map_err(Error::Server)?
    .run();
    tracing::info!(%address, "listening");

    let handle = server.handle();
    let stop = async {
        shutdown.cancelled().await;
        if tokio::time::timeout(GRACE, handle.stop(true)).await.is_err() {
            tracing::info!("calls under way were cut off");
        }
    };
    let served = tokio::select! {
        served = server => served.map_err(Error::Server),
        () = stop => Ok(()),
    };
    ending.cancel();
    tracker.close();
    tracker.wait().await;
    served
}

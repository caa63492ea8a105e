//! A TCP proxy that stands between a program and a server, and fails on demand.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use super::ports;

/// How much later bytes may pass.
const LONGEST_DELAY: Duration = Duration::from_millis(30);

/// How the proxy treats connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Bytes pass.
    Forward,
    /// Bytes pass, each time a different while later.
    Dawdle,
    /// Connections are reset, and new ones refused.
    Refuse,
    /// Connections stay open, new ones are taken, and no byte passes.
    Swallow,
}

/// A proxy, gone with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Starts one in front of a server of this machine.
    pub(crate) fn start(server: u16) -> Self {
        let port = ports::free();
        let (mode, seen) = watch::channel(Mode::Forward);
        let mut task = JoinSet::new();
        task.spawn(run(port, server, seen));
        Self { port, mode, _task: task }
    }

    /// Resets every connection and refuses new ones, as a server that died.
    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Refuse);
    }

    /// Lets no byte pass and says nothing of it, as a network that is gone.
    pub(crate) fn swallow(&self) {
        self.mode.send_replace(Mode::Swallow);
    }

    /// Lets everything pass a little later, now more and now less, as a server that has much to do.
    pub(crate) fn dawdle(&self) {
        self.mode.send_replace(Mode::Dawdle);
    }

    /// Lets everything pass again.
    pub(crate) fn heal(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

async fn run(port: u16, server: u16, mut mode: watch::Receiver<Mode>) {
    loop {
        let Ok(_) = mode.wait_for(|mode| *mode != Mode::Refuse).await else { return };
        let listener = TcpListener::bind(local(port)).await.expect("the port of the proxy");
        // Leaving this scope closes the listener and resets every connection.
        let mut connections = JoinSet::new();
        let mut watched = mode.clone();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((client, _)) = accepted else { continue };
                    connections.spawn(connect(client, server, mode.clone()));
                }
                refuse = watched.wait_for(|mode| *mode == Mode::Refuse) => {
                    if refuse.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
    }
}

async fn connect(client: TcpStream, server: u16, mut mode: watch::Receiver<Mode>) {
    // Whatever ends this connection ends it with a reset.
    if client.set_zero_linger().is_err() || forwarding(&mut mode).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(local(server)).await else { return };
    if server.set_zero_linger().is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let _ = tokio::join!(pump(from_client, to_server, mode.clone()), pump(from_server, to_client, mode));
}

async fn forwarding(mode: &mut watch::Receiver<Mode>) -> io::Result<()> {
    let passes = |mode: &Mode| matches!(mode, Mode::Forward | Mode::Dawdle);
    let mode = *mode.wait_for(passes).await.map_err(io::Error::other)?;
    if mode == Mode::Dawdle {
        tokio::time::sleep(LONGEST_DELAY.mul_f64(fastrand::f64())).await;
    }
    Ok(())
}

/// Copies one direction, and hands on its end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        forwarding(&mut mode).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

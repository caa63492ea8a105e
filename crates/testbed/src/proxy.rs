//! A TCP proxy that stands between a program and a server, and fails on demand.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
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

use crate::ports;

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
    /// Bytes pass, but where a commit has an answer the connection is reset instead.
    LoseCommits,
    /// So many bytes a second pass, on each connection in each direction.
    Throttle(u32),
}

/// How an order to commit a transaction looks on its way to Postgres.
const COMMIT: &[u8] = b"COMMIT\0";

/// A proxy, gone with this value.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    mode: watch::Sender<Mode>,
    /// How often connections were stranded; each knows how often that was before it.
    strandings: watch::Sender<u64>,
    lost: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Starts one in front of a server of this machine.
    pub fn start(server: u16) -> Self {
        let port = ports::free();
        let (mode, seen) = watch::channel(Mode::Forward);
        let (strandings, stranded) = watch::channel(0);
        let lost = Arc::<AtomicU64>::default();
        let mut task = JoinSet::new();
        task.spawn(run(port, server, (seen, stranded), Arc::clone(&lost)));
        Self { port, mode, strandings, lost, _task: task }
    }

    /// Resets every connection and refuses new ones, as a server that died.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Refuse);
    }

    /// Lets no byte pass and says nothing of it, as a network that is gone.
    pub fn swallow(&self) {
        self.mode.send_replace(Mode::Swallow);
    }

    /// Lets no byte of the present connections pass any more, whatever happens later, and says nothing of it: as a firewall
    /// that has forgotten them. New ones pass.
    pub fn strand(&self) {
        self.strandings.send_modify(|count| *count += 1);
    }

    /// Lets everything pass a little later, now more and now less, as a server that has much to do.
    pub fn dawdle(&self) {
        self.mode.send_replace(Mode::Dawdle);
    }

    /// Lets so many bytes a second pass on each connection, in each direction, as a server that cannot keep up.
    pub fn throttle(&self, bytes_a_second: u32) {
        self.mode.send_replace(Mode::Throttle(bytes_a_second.max(1)));
    }

    /// Lets Postgres commit and nobody hear of it: a transaction is committed, and its connection reset.
    pub fn lose_commits(&self) {
        self.mode.send_replace(Mode::LoseCommits);
    }

    /// How many commits nobody has heard of.
    pub fn lost_commits(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// How connections are treated, and how often they were stranded.
type Orders = (watch::Receiver<Mode>, watch::Receiver<u64>);

async fn run(port: u16, server: u16, (mut mode, stranded): Orders, lost: Arc<AtomicU64>) {
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
                    let orders = (mode.clone(), stranded.clone());
                    connections.spawn(connect(client, server, orders, Arc::clone(&lost)));
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

async fn connect(client: TcpStream, server: u16, (mut mode, mut stranded): Orders, lost: Arc<AtomicU64>) {
    stranded.mark_unchanged();
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
    let commits = AtomicBool::new(false);
    let asked = |bytes: &[u8], mode| {
        if mode == Mode::LoseCommits && bytes.windows(COMMIT.len()).any(|part| part == COMMIT) {
            commits.store(true, Ordering::Relaxed);
        }
        true
    };
    let answered = |_: &[u8], _| {
        let is_lost = commits.load(Ordering::Relaxed);
        lost.fetch_add(is_lost.into(), Ordering::Relaxed);
        !is_lost
    };
    let passing = async {
        let _ = tokio::try_join!(
            pump(from_client, to_server, mode.clone(), asked),
            pump(from_server, to_client, mode, answered)
        );
    };
    tokio::pin!(passing);
    tokio::select! {
        biased;
        // It stays open, and nobody reads from it.
        Ok(()) = stranded.changed() => std::future::pending().await,
        () = &mut passing => {}
    }
}

async fn forwarding(mode: &mut watch::Receiver<Mode>) -> io::Result<Mode> {
    let passes = |mode: &Mode| !matches!(mode, Mode::Refuse | Mode::Swallow);
    let mode = *mode.wait_for(passes).await.map_err(io::Error::other)?;
    if mode == Mode::Dawdle {
        tokio::time::sleep(LONGEST_DELAY.mul_f64(fastrand::f64())).await;
    }
    Ok(mode)
}

/// How many bytes are taken at once: those of a twentieth of a second, so that a narrow way is even.
fn at_once(mode: Mode, most: usize) -> usize {
    match mode {
        Mode::Throttle(rate) => usize::try_from(rate / 20).unwrap_or(most).clamp(1, most),
        _ => most,
    }
}

/// Copies one direction as long as its bytes may pass, and hands on its end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    may_pass: impl Fn(&[u8], Mode) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let most = at_once(*mode.borrow(), buffer.len());
        let read = from.read(&mut buffer[..most]).await?;
        let mode = forwarding(&mut mode).await?;
        if let Mode::Throttle(rate) = mode {
            let bytes = u32::try_from(read).unwrap_or(u32::MAX);
            tokio::time::sleep(Duration::from_secs_f64(f64::from(bytes) / f64::from(rate))).await;
        }
        if !may_pass(&buffer[..read], mode) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

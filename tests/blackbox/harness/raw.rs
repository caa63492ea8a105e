//! Connections on which anything may be said, and how many a server holds.

use std::{fs, net::SocketAddr, time::Duration};

use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::wait::DEADLINE;

/// The pause between two bytes of a trickle, and the shortest time in which nothing counts as silence.
const PAUSE: Duration = Duration::from_millis(300);

/// Where a program listens.
pub(crate) fn address(url: &Url) -> SocketAddr {
    url.socket_addrs(|| None).expect("an address")[0]
}

/// A connection.
pub(crate) async fn connect(url: &Url) -> TcpStream {
    TcpStream::connect(address(url)).await.expect("a connection")
}

/// Says these bytes, and hears what is answered until the other side ends it; `None` where it never does.
pub(crate) async fn say(url: &Url, bytes: &[u8]) -> Option<String> {
    let mut stream = connect(url).await;
    // The other side may have heard enough.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    // A reset is an end as well.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut heard)).await.ok()?;
    Some(String::from_utf8_lossy(&heard).into_owned())
}

/// Says one piece after the other as fast as they are taken, until the other side ends it; answers how much it took.
pub(crate) async fn pours_until_cut(mut stream: TcpStream, piece: &[u8], most: usize) -> usize {
    let mut taken = 0;
    while taken < most && stream.write_all(piece).await.is_ok() {
        taken += piece.len();
    }
    taken
}

/// Says one piece after the other, slowly and without end, until the other side ends it; whether it ever does.
pub(crate) async fn trickles_until_cut(mut stream: TcpStream, piece: &[u8]) -> bool {
    // A body has half a minute, and its connection a while after that.
    let deadline = Instant::now() + 2 * DEADLINE;
    let mut buffer = [0; 4096];
    while Instant::now() < deadline {
        if stream.write_all(piece).await.is_err() {
            return true;
        }
        // Also the pace of the trickle.
        if let Ok(Ok(0) | Err(_)) = timeout(PAUSE, stream.read(&mut buffer)).await {
            return true;
        }
    }
    false
}

/// How many connections the program that listens there holds, as the system counts them.
pub(crate) fn held(url: &Url) -> usize {
    let port = format!("{:04X}", address(url).port());
    let table = fs::read_to_string("/proc/net/tcp").expect("the system's table of connections");
    let is_held = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Its own address, the state (listening is 0A), and the inode, which is 0 when no program has it any more.
        let own = fields.get(1).is_some_and(|own| own.ends_with(&format!(":{port}")));
        own && fields.get(3) != Some(&"0A") && fields.get(9) != Some(&"0")
    };
    table.lines().skip(1).filter(is_held).count()
}

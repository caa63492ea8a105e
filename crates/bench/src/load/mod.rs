//! The load generator: as many connections as wanted, each with one request under way at any time, on one thread. It
//! shares the machine with what it measures, so it does next to nothing itself.

mod response;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::response::parse;

/// Beyond the end of a measurement, for the last answers; longer than ingest itself waits for a confirm.
const PATIENCE: Duration = Duration::from_secs(15);

/// When it counts: from the end of the warm-up to the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

/// What was answered within the window.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Of each answer 200.
    pub(crate) latencies: Vec<Duration>,
    /// Answers that were not 200.
    pub(crate) refused: usize,
}

impl Window {
    /// Begins after `warm_up`.
    pub(crate) fn new(warm_up: Duration, time: Duration) -> Self {
        let begin = Instant::now() + warm_up;
        Self { begin, end: begin + time }
    }

    /// Whether something that ended at this moment counts.
    pub(crate) fn holds(self, moment: Instant) -> bool {
        (self.begin..self.end).contains(&moment)
    }
}

/// One request, head and body in one piece, for a connection that stays; `more` are headers, each with its line's end.
pub(crate) fn request(address: &str, path: &str, more: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// Sends these requests in turn over so many connections until the window ends. Blocks its thread.
pub(crate) fn run(address: &str, requests: &[Bytes], connections: usize, window: Window) -> Result<Answers> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let all = runtime.block_on(async {
        let mut open = JoinSet::new();
        for number in 0..connections {
            let (address, requests) = (address.to_owned(), requests.to_vec());
            open.spawn(async move { connection(&address, &requests, number, window).await });
        }
        let mut all = Answers::default();
        while let Some(ended) = open.join_next().await {
            let Answers { mut latencies, refused } = ended??;
            all.latencies.append(&mut latencies);
            all.refused += refused;
        }
        anyhow::Ok(all)
    })?;
    Ok(all)
}

async fn connection(address: &str, requests: &[Bytes], first: usize, window: Window) -> Result<Answers> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let limit = tokio::time::Instant::from_std(window.end + PATIENCE);
    let talk = talk(&mut stream, requests, first, window);
    tokio::time::timeout_at(limit, talk).await.context("an answer does not come")?
}

async fn talk(stream: &mut TcpStream, requests: &[Bytes], first: usize, window: Window) -> Result<Answers> {
    let mut answers = Answers::default();
    let mut buffer = Vec::with_capacity(1024);
    for request in requests.iter().cycle().skip(first % requests.len()) {
        let begun = Instant::now();
        stream.write_all(request).await?;
        let (status, _) = answer(stream, &mut buffer).await?;
        let now = Instant::now();
        match status {
            200 if window.holds(now) => answers.latencies.push(now - begun),
            200 => {}
            // Also one of the warm-up: it says that something is wrong.
            _ => answers.refused += 1,
        }
        if now >= window.end {
            break;
        }
    }
    Ok(answers)
}

/// The next answer on a connection: its status and its body. `buffer` holds what came of the one after it.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(u16, Bytes)> {
    loop {
        if let Some(response) = parse(buffer)? {
            let body = Bytes::copy_from_slice(&buffer[response.head..response.length]);
            buffer.drain(..response.length);
            return Ok((response.status, body));
        }
        ensure!(stream.read_buf(buffer).await? > 0, "a connection was closed");
    }
}

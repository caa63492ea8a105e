//! Requests at even intervals, whatever becomes of those before them, over a few connections that stay.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use uuid::Uuid;

use crate::load;
use crate::sends::letters;

/// Between two requests.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);
/// Connections, which take turns: each has sixteen intervals for its answer.
const CONNECTIONS: usize = 16;
/// Bytes of a message's text.
const TEXT: usize = 1000;

/// A message that was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted {
    /// Its place among all.
    number: usize,
    pub(super) id: Uuid,
    pub(super) begun: Timestamp,
    pub(super) answered: Timestamp,
    /// How much later than planned it began.
    pub(super) late: Duration,
}

/// Posts so many messages; answers them in their order. Anything but 200 is a failure.
pub(super) async fn steadily(address: &str, key: &str, count: usize) -> Result<Vec<Posted>> {
    let more = format!("X-Raven-Key: {key}\r\n");
    let request = |number| load::request(address, "/v1/messages", &more, &letters::post(number, TEXT));
    let requests: Vec<Bytes> = (0..count).map(request).collect();
    let start = Instant::now() + 10 * INTERVAL;
    let connections = (0..CONNECTIONS).map(|first| connection(address, &requests, (first, start)));
    let posted = futures_util::future::try_join_all(connections).await?;
    let mut posted: Vec<Posted> = posted.into_iter().flatten().collect();
    posted.sort_unstable_by_key(|one| one.number);
    Ok(posted)
}

async fn connection(
    address: &str,
    requests: &[Bytes],
    (first, start): (usize, Instant),
) -> Result<Vec<Posted>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1024);
    let mut posted = Vec::new();
    for (number, request) in requests.iter().enumerate().skip(first).step_by(CONNECTIONS) {
        let planned = start + INTERVAL * u32::try_from(number)?;
        tokio::time::sleep_until(planned).await;
        let late = planned.elapsed();
        let begun = Timestamp::now();
        stream.write_all(request).await?;
        let (status, body) = load::answer(&mut stream, &mut buffer).await?;
        let answered = Timestamp::now();
        ensure!(status == 200, "a POST was answered {status}: {}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body)?;
        let id = body["id"].as_str().and_then(|id| id.parse().ok()).context("an answer without an id")?;
        posted.push(Posted { number, id, begun, answered, late });
    }
    Ok(posted)
}

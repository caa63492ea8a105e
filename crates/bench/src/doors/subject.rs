//! What takes webhooks, and what is compared with it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::net::TcpStream;

use crate::installation::{Installation, NOBODY, free_address};
use crate::load::{self, Answers, Window};
use crate::process::Process;
use crate::queue::{Broker, Until};
use crate::spent::{Meter, Spent};
use crate::statistics::{percentile, rate};
use crate::wait::until;

/// Who takes the bodies.
pub(super) enum Subject {
    /// Nobody: they are published as ingest publishes them, without HTTP.
    Raw,
    /// A server that listens, and the path to post to.
    Server { process: Process, address: String, path: String },
}

/// What one measurement showed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) count: usize,
    pub(super) rate: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) refused: usize,
    pub(super) spent: Spent,
}

impl Subject {
    /// `raven-ingest`, ready.
    pub(super) async fn ingest(installation: &Installation) -> Result<Self> {
        let (process, address) = installation.start_ready("raven-ingest", NOBODY).await?;
        let path = format!("/v1/webhooks/email/mailjet/{}", installation.tenant);
        Ok(Self::Server { process, address, path })
    }

    /// The bare server, listening.
    pub(super) async fn bare(logs: &Path) -> Result<Self> {
        let address = free_address()?;
        let own = std::env::current_exe().context("where this program is")?;
        let mut process = Process::start(&own, logs, &["bare", "--listen", &address], &[])?;
        let limit = (Duration::from_secs(10), Duration::from_millis(20));
        until("the bare server", limit, async || {
            process.check()?;
            Ok(TcpStream::connect(&address).await.ok())
        })
        .await?;
        Ok(Self::Server { process, address, path: "/".to_owned() })
    }

    /// Gives it these bodies, so many at a time, and looks at its processor time meanwhile.
    pub(super) async fn measure(
        &self,
        (broker, meter): (&Broker, Meter),
        bodies: &Arc<[Bytes]>,
        in_flight: usize,
        (warm_up, time): (Duration, Duration),
    ) -> Result<Figures> {
        let window = Window::new(warm_up, time);
        let pid = match self {
            Self::Raw => std::process::id(),
            Self::Server { process, .. } => process.pid(),
        };
        let spending = async {
            tokio::time::sleep_until(window.begin.into()).await;
            let before = meter.read(pid);
            tokio::time::sleep_until(window.end.into()).await;
            Ok(meter.read(pid).since(before))
        };
        let (answers, spent) = match self {
            Self::Raw => tokio::try_join!(raw(broker, bodies, in_flight, window), spending)?,
            Self::Server { address, path, .. } => {
                let requests = bodies.iter().map(|body| load::request(address, path, "", body)).collect();
                tokio::try_join!(posts(address.clone(), requests, in_flight, window), spending)?
            }
        };
        Ok(Figures::new(answers, time, spent))
    }
}

impl Figures {
    fn new(answers: Answers, time: Duration, spent: Spent) -> Self {
        let Answers { mut latencies, refused } = answers;
        latencies.sort_unstable();
        let of = |percent| percentile(&latencies, percent).unwrap_or_default();
        let count = latencies.len();
        Self { count, rate: rate(count, time), p50: of(50), p99: of(99), refused, spent }
    }
}

async fn raw(broker: &Broker, bodies: &Arc<[Bytes]>, in_flight: usize, window: Window) -> Result<Answers> {
    let confirmed = broker.publish(&broker.events(bodies), in_flight, Until::Time(window.end)).await?;
    let within = confirmed.into_iter().filter(|(begun, took)| window.holds(*begun + *took));
    Ok(Answers { latencies: within.map(|(_, took)| took).collect(), refused: 0 })
}

async fn posts(address: String, requests: Vec<Bytes>, connections: usize, window: Window) -> Result<Answers> {
    let load = move || load::run(&address, &requests, connections, window);
    tokio::task::spawn_blocking(load).await?
}

//! What all measurements have in common: the effort, the servers, and an installation that is cleared away.

use anyhow::{Result, bail};

use crate::installation::{Installation, NOBODY};
use crate::{facts, servers};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Short measurements, to see that it works
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds of each measurement, of which the median is told [default: 3, and 1 with --quick]
    #[arg(long)]
    repeat: Option<usize>,
    /// How the programs were built, to be told
    #[arg(long, env = "RAVEN_BENCH_PROFILE", default_value = "unknown")]
    profile: String,
    #[command(flatten)]
    servers: servers::Options,
}

impl Common {
    /// How many rounds each measurement has.
    pub(crate) fn rounds(&self) -> usize {
        self.repeat.unwrap_or(if self.quick { 1 } else { 3 }).max(1)
    }
}

/// Measures in an installation of its own until done or interrupted, and clears it away, either way.
pub(crate) async fn within(
    common: &Common,
    interrupted: impl Future<Output = std::io::Result<()>>,
    measure: impl AsyncFnOnce(&Installation) -> Result<()>,
) -> Result<()> {
    let mut installation = Installation::open(&common.servers).await?;
    let work = async {
        installation.prepare().await?;
        println!("{}", facts::line(&installation.servers, &common.profile).await?);
        declare(&installation).await?;
        measure(&installation).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        signal = interrupted => signal.map_err(Into::into).and_then(|()| bail!("interrupted")),
    };
    installation.remove().await?;
    outcome
}

/// Lets a worker declare exchanges and queues, which every measurement needs.
async fn declare(installation: &Installation) -> Result<()> {
    let _session = installation.fresh_database().await?;
    let (worker, _) = installation.start_ready("raven-worker", NOBODY).await?;
    worker.stop().await
}

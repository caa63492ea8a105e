//! Logs and metrics.

use std::io::IsTerminal as _;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

pub use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::settings::{Environment, Invalid, Variable};

/// The filter of the log.
pub const LOG: Variable = Variable {
    name: "RAVEN_LOG",
    default: Some("info"),
    meaning: "log filter, such as info or info,broker=debug",
};
/// The form of the log.
pub const LOG_FORMAT: Variable =
    Variable { name: "RAVEN_LOG_FORMAT", default: Some("text"), meaning: "text or json" };

/// How often collected samples are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);
/// Bounds of histograms of seconds.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of histograms of batch sizes.
const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Starts the log, on standard error.
pub fn start_log(environment: &Environment) -> Result<(), Invalid> {
    // Client libraries log each lost connection on their own; ours tells it once, as one change of state.
    // `tokio_postgres` would write the parameters of each statement, which are people's mail.
    let quiet = "lapin=off,deadpool.postgres=error,actix_server=warn,tokio_postgres=info";
    let filter = environment.read(&LOG, |text| EnvFilter::try_new(format!("{text},{quiet}")))?;
    let json = environment.read(&LOG_FORMAT, |text| match text {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err("is neither text nor json"),
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start, as tests make, keeps the first log.
    let _ = if json { log.json().try_init() } else { log.try_init() };
    Ok(())
}

/// Starts collecting metrics; the handle renders them for `/metrics`.
pub fn start_metrics() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    let builder = builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch".to_owned()), &SIZES))
        // The bounds above are constants and not empty, which is all that can be wrong with them.
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // A second recorder in one process, as tests make, renders its own and collects nothing.
    let _ = metrics::set_global_recorder(recorder);
    handle
}

/// Keeps the histograms small until shutdown.
pub async fn keep_up(handle: PrometheusHandle, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
        handle.run_upkeep();
    }
}

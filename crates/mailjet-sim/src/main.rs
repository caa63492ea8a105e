//! The program `mailjet-sim`: settings, telemetry, `run`, exit code.

use std::{
    io::{IsTerminal, stderr},
    net::TcpListener,
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use mailjet_sim::Settings;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let settings = Settings::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(settings: Settings) -> anyhow::Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("cannot listen on {} (MAILJET_SIM_LISTEN)", settings.listen))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let shutdown = CancellationToken::new();
    let served = mailjet_sim::run(settings, listener, shutdown.clone());
    tokio::pin!(served);
    tokio::select! {
        ended = &mut served => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.cancel();
    Ok(served.await?)
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Breaks everything under load, and compares what clients were told, what the stand-in for Mailjet accepted and what
/// Raven says. `cargo xtask prove` starts it with servers of its own.
#[derive(Debug, Parser)]
#[command(name = "raven-prove")]
pub(crate) struct Options {
    /// For how long at least: each kind of fault strikes at least five times, however long that takes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What chance begins with; the same seed draws the same load and the same faults
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Every kind of fault once, which takes a minute or two
    #[arg(long)]
    pub(crate) short: bool,
    /// Only faults whose names contain one of these
    #[arg(long)]
    pub(crate) only: Vec<String>,
    /// Sends a second
    #[arg(long, default_value_t = 30.0)]
    pub(crate) rate: f64,
    /// Runs programs that are broken on purpose, in this way
    #[arg(long)]
    pub(crate) sabotage: Option<String>,
    /// Postgres, as a user who may create databases, with any database
    #[arg(long, env = "RAVEN_PROVE_POSTGRES_URL", hide_env_values = true)]
    pub(crate) postgres: reqwest::Url,
    /// RabbitMQ, without a virtual host
    #[arg(long, env = "RAVEN_PROVE_AMQP_URL", hide_env_values = true)]
    pub(crate) amqp: reqwest::Url,
    /// RabbitMQ's management API, with user and password
    #[arg(long, env = "RAVEN_PROVE_RABBITMQ_API", hide_env_values = true)]
    pub(crate) management: reqwest::Url,
    /// The directory of the built programs
    #[arg(long, env = "RAVEN_PROVE_BIN")]
    pub(crate) programs: PathBuf,
    /// A directory for logs
    #[arg(long, env = "RAVEN_PROVE_DIR")]
    pub(crate) folder: PathBuf,
    /// The program that stops and starts the servers: `cargo xtask`'s own
    #[arg(long, env = "RAVEN_PROVE_XTASK")]
    pub(crate) xtask: PathBuf,
}

impl Options {
    /// For how long things break.
    pub(crate) fn duration(&self) -> Duration {
        if self.short { Duration::ZERO } else { Duration::from_secs_f64(self.minutes.clamp(0.0, 1e6) * 60.0) }
    }

    /// How often each kind of fault strikes at least.
    pub(crate) fn rounds(&self) -> usize {
        if self.short { 1 } else { 5 }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Options;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }
}

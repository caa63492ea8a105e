//! What the stand-in is told at start: flags, each with an environment variable.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use jiff::SignedDuration;

/// How the stand-in behaves. Durations are written as `500ms`, `2s` or `24h`.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "mailjet-sim", version, about)]
pub struct Settings {
    /// Address to listen on.
    #[arg(long, env = "MAILJET_SIM_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// Pause between two attempts to deliver the same events (Mailjet: 30s).
    #[arg(long, env = "MAILJET_SIM_RETRY", default_value = "30s", value_parser = duration)]
    pub retry: Duration,

    /// How long after its first failure a callback URL is given up and called dead (Mailjet: 24h).
    #[arg(long, env = "MAILJET_SIM_RETRY_FOR", default_value = "24h", value_parser = duration)]
    pub retry_for: Duration,

    /// How long after acceptance the first event happens; each further one follows as much later.
    #[arg(long, env = "MAILJET_SIM_EVENT_DELAY", default_value = "200ms", value_parser = duration)]
    pub event_delay: Duration,

    /// Time that every call of /v3.1/send takes before it is looked at.
    #[arg(long, env = "MAILJET_SIM_LATENCY", default_value = "0ms", value_parser = duration)]
    pub latency: Duration,

    /// Accepted API keys, `key:secret[,key:secret]`; when empty, any non-empty pair passes.
    #[arg(long, env = "MAILJET_SIM_CREDENTIALS", default_value = "", hide_env_values = true)]
    pub credentials: Credentials,

    /// Calls of /v3.1/send per API key in 10 seconds; 0 means no limit (Mailjet: 500).
    #[arg(long, env = "MAILJET_SIM_RATE_LIMIT", default_value_t = 0)]
    pub rate_limit: u32,

    /// Seed of the chance by which faults strike; without it, chance is another each time.
    #[arg(long, env = "MAILJET_SIM_SEED")]
    pub seed: Option<u64>,

    /// Accepted messages that are kept in full; older ones leave and are only counted.
    #[arg(long, env = "MAILJET_SIM_KEEP", default_value_t = 100_000)]
    pub keep: usize,
}

impl Default for Settings {
    /// The defaults of the flags, without a look at the environment.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8090)),
            retry: Duration::from_secs(30),
            retry_for: Duration::from_hours(24),
            event_delay: Duration::from_millis(200),
            latency: Duration::ZERO,
            credentials: Credentials::default(),
            rate_limit: 0,
            seed: None,
            keep: 100_000,
        }
    }
}

/// The pairs of API key and secret that are let in. Its `Debug` shows the keys and hides the secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Vec<(String, String)>);

impl Credentials {
    /// Whether this pair is let in: one of ours, or, when we have none, any pair without an empty half.
    pub fn admit(&self, key: &str, secret: &str) -> bool {
        if self.0.is_empty() {
            return !key.is_empty() && !secret.is_empty();
        }
        self.0.iter().any(|(known, its)| known == key && its == secret)
    }
}

impl FromStr for Credentials {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| match pair.split_once(':') {
            Some((key, secret)) if !key.is_empty() && !secret.is_empty() => {
                Ok((key.to_owned(), secret.to_owned()))
            }
            _ => Err("each pair must read key:secret".to_owned()),
        });
        pairs.collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

/// Reads a duration such as `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(signed).map_err(|_| "a duration must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn flags_read_durations_and_pairs() {
        let line = ["mailjet-sim", "--retry", "500ms", "--credentials", "a:b, c:d:e"];
        let settings = Settings::try_parse_from(line).unwrap();
        assert_eq!(settings.retry, Duration::from_millis(500));
        assert!(settings.credentials.admit("c", "d:e"));
        assert!(!settings.credentials.admit("a", "x"));
        assert_eq!(format!("{:?}", settings.credentials), r#"["a", "c"]"#);
    }

    #[test]
    fn without_pairs_anything_but_an_empty_half_passes() {
        let credentials: Credentials = "".parse().unwrap();
        assert!(credentials.admit("k", "s"));
        assert!(!credentials.admit("k", ""));
        assert!("key-without-secret".parse::<Credentials>().is_err());
    }

    #[test]
    fn odd_durations_are_refused() {
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert!(duration("-1s").is_err());
        assert!(duration("soon").is_err());
    }
}

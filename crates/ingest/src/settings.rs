//! The settings of `raven-ingest`.

use std::net::SocketAddr;
use std::time::Duration;

use broker::BrokerUrl;
use service::settings::{count, duration, listen, positive, size};
use service::shared::{
    AMQP_URL, DATABASE_URL, ENCRYPTION_KEYS, MAILJET_TIMEOUT, MAILJET_URL, SHUTDOWN_GRACE,
};
use service::{Environment, Invalid, Program, Variable};
use store::{DatabaseUrl, Keyring};

use crate::limits::settings::{self as limits, LimitSettings};
use crate::spool::SpoolSettings;

const LISTEN: Variable =
    Variable { name: "RAVEN_LISTEN", default: Some("127.0.0.1:8080"), meaning: "address to listen on" };
const PUBLIC_URL: Variable = Variable {
    name: "RAVEN_PUBLIC_URL",
    default: Some(""),
    meaning: "base of the webhook URLs that are shown; http:// and the listen address when empty",
};
const DATABASE_CONNECTIONS: Variable = Variable {
    name: "RAVEN_DATABASE_CONNECTIONS",
    default: Some("10"),
    meaning: "most connections to Postgres for requests; one more follows changes",
};
const PUBLISH_CHANNELS: Variable = Variable {
    name: "RAVEN_PUBLISH_CHANNELS",
    default: Some("2"),
    meaning: "channels that publish to RabbitMQ",
};
const PUBLISH_TIMEOUT: Variable = Variable {
    name: "RAVEN_PUBLISH_TIMEOUT",
    default: Some("5s"),
    meaning: "how long RabbitMQ's confirm, or the spool's disk, may take before the answer is 503",
};
pub(crate) const SPOOL_DIR: Variable = Variable {
    name: "RAVEN_SPOOL_DIR",
    default: Some(""),
    meaning: "directory of a log on disk that takes messages and webhooks on while RabbitMQ is away; off when empty",
};
const SPOOL_LIMIT: Variable = Variable {
    name: "RAVEN_SPOOL_LIMIT",
    default: Some("1GiB"),
    meaning: "most bytes that wait in that log; with more the answer is 503",
};

/// The program.
pub const PROGRAM: Program = Program {
    name: "raven-ingest",
    about: "accepts sends and webhooks onto RabbitMQ, and serves the management API",
    variables: &[
        &DATABASE_URL,
        &AMQP_URL,
        &ENCRYPTION_KEYS,
        &LISTEN,
        &PUBLIC_URL,
        &MAILJET_URL,
        &MAILJET_TIMEOUT,
        &DATABASE_CONNECTIONS,
        &PUBLISH_CHANNELS,
        &PUBLISH_TIMEOUT,
        &SPOOL_DIR,
        &SPOOL_LIMIT,
        &limits::SENDS,
        &limits::KEY_SENDS,
        &limits::REQUESTS,
        &limits::KEY_REQUESTS,
        &limits::FAILURES,
        &limits::TRUSTED_PROXIES,
        &SHUTDOWN_GRACE,
    ],
};

/// Everything that can be set; all of it checked.
#[derive(Debug)]
pub struct Settings {
    /// Postgres.
    pub database: DatabaseUrl,
    /// RabbitMQ.
    pub broker: BrokerUrl,
    /// Seals credentials.
    pub keyring: Keyring,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The base of webhook URLs, if it is not the address that is listened on.
    pub public_url: Option<String>,
    /// Mailjet, for the management API.
    pub mailjet: mailjet::Client,
    /// Most connections to Postgres for requests.
    pub database_connections: usize,
    /// Channels that publish.
    pub publish_channels: usize,
    /// How long a confirm may take.
    pub publish_timeout: Duration,
    /// Where accepted messages go while RabbitMQ is away, if anywhere.
    pub(crate) spool: Option<SpoolSettings>,
    /// How much of one caller is let through.
    pub(crate) limits: LimitSettings,
    /// How long the end may take.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// Reads them all.
    pub fn read(environment: &Environment) -> Result<Self, Invalid> {
        // The client of Mailjet is made here, and needs to know which TLS to use.
        service::program::install_tls();
        let timeout = environment.read(&MAILJET_TIMEOUT, positive)?;
        let public_url = environment.optional(&PUBLIC_URL).map(|url| url.trim_end_matches('/').to_owned());
        if public_url
            .as_deref()
            .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            return Err(PUBLIC_URL.invalid("is not a URL such as https://raven.example.com"));
        }
        Ok(Self {
            database: environment.read(&DATABASE_URL, DatabaseUrl::parse)?,
            broker: environment.read(&AMQP_URL, BrokerUrl::parse)?,
            keyring: environment.read(&ENCRYPTION_KEYS, Keyring::parse)?,
            listen: environment.read(&LISTEN, listen)?,
            public_url,
            mailjet: environment.read(&MAILJET_URL, |text| mailjet::Client::new(text, timeout))?,
            database_connections: environment.read(&DATABASE_CONNECTIONS, count)?,
            publish_channels: environment.read(&PUBLISH_CHANNELS, count)?,
            publish_timeout: environment.read(&PUBLISH_TIMEOUT, duration)?,
            spool: spool(environment)?,
            limits: LimitSettings::read(environment)?,
            shutdown_grace: environment.read(&SHUTDOWN_GRACE, duration)?,
        })
    }
}

/// The spool's settings; the limit is checked even where there is none.
fn spool(environment: &Environment) -> Result<Option<SpoolSettings>, Invalid> {
    let limit = environment.read(&SPOOL_LIMIT, size)?;
    let patience = environment.read(&PUBLISH_TIMEOUT, duration)?;
    Ok(environment.optional(&SPOOL_DIR).map(|dir| SpoolSettings { dir: dir.into(), limit, patience }))
}

#[cfg(test)]
mod secrecy {
    use super::*;

    #[test]
    fn settings_are_printed_without_secrets() {
        const KEYS: &str = "k1:aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuISE=";
        let environment = Environment::of([
            ("DATABASE_URL", "postgres://user:hidden@127.0.0.1/raven"),
            ("AMQP_URL", "amqp://user:hidden@127.0.0.1"),
            ("RAVEN_ENCRYPTION_KEYS", KEYS),
        ]);
        let printed = format!("{environment:?} {:?}", Settings::read(&environment).unwrap());
        assert!(!printed.contains("hidden") && !printed.contains("aGlk"), "{printed}");
    }
}

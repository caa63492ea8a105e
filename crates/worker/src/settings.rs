//! The settings of `raven-worker`.

use std::net::SocketAddr;
use std::time::Duration;

use broker::BrokerUrl;
use domain::retry::{ReconcilePolicy, RetryPolicy};
use service::settings::{count, duration, listen, positive};
use service::shared::{
    AMQP_URL, DATABASE_URL, ENCRYPTION_KEYS, MAILJET_TIMEOUT, MAILJET_URL, SHUTDOWN_GRACE,
};
use service::{Environment, Invalid, Program, Variable};
use store::{DatabaseUrl, Keyring};

const LISTEN: Variable = Variable {
    name: "RAVEN_LISTEN",
    default: Some("127.0.0.1:8081"),
    meaning: "address of health and metrics",
};
const BATCH_LINGER: Variable = Variable {
    name: "RAVEN_BATCH_LINGER",
    default: Some("10ms"),
    meaning: "how long a send may wait for company in one API call when others are arriving",
};
const RETRY_BASE: Variable = Variable {
    name: "RAVEN_RETRY_BASE",
    default: Some("5s"),
    meaning: "longest first wait between attempts",
};
const RETRY_MAX: Variable =
    Variable { name: "RAVEN_RETRY_MAX", default: Some("1h"), meaning: "longest wait between attempts" };
const RETRY_WINDOW: Variable = Variable {
    name: "RAVEN_RETRY_WINDOW",
    default: Some("24h"),
    meaning: "after this a message that was never accepted is failed",
};
const RECONCILE_AFTER: Variable = Variable {
    name: "RAVEN_RECONCILE_AFTER",
    default: Some("30s"),
    meaning: "how long after an uncertain send Mailjet is asked what became of it",
};
const SEND_LANES: Variable = Variable {
    name: "RAVEN_SEND_LANES",
    default: Some("2"),
    meaning: "batches of sends being taken on at once, from each of the two queues",
};
const EVENT_LANES: Variable = Variable {
    name: "RAVEN_EVENT_LANES",
    default: Some("3"),
    meaning: "batches of webhook bodies in progress at once",
};
const EVENT_PREFETCH: Variable = Variable {
    name: "RAVEN_EVENT_PREFETCH",
    default: Some("200"),
    meaning: "webhook bodies that each of those batches' channels may hold",
};
const EVENT_BATCH: Variable =
    Variable { name: "RAVEN_EVENT_BATCH", default: Some("100"), meaning: "most webhook bodies of one batch" };
const DATABASE_CONNECTIONS: Variable = Variable {
    name: "RAVEN_DATABASE_CONNECTIONS",
    default: Some("12"),
    meaning: "most connections to Postgres",
};

/// The program.
pub const PROGRAM: Program = Program {
    name: "raven-worker",
    about: "consumes the queues, calls Mailjet, writes Postgres; any number may run",
    variables: &[
        &DATABASE_URL,
        &AMQP_URL,
        &ENCRYPTION_KEYS,
        &LISTEN,
        &MAILJET_URL,
        &MAILJET_TIMEOUT,
        &BATCH_LINGER,
        &RETRY_BASE,
        &RETRY_MAX,
        &RETRY_WINDOW,
        &RECONCILE_AFTER,
        &SEND_LANES,
        &EVENT_LANES,
        &EVENT_PREFETCH,
        &EVENT_BATCH,
        &DATABASE_CONNECTIONS,
        &SHUTDOWN_GRACE,
    ],
};

/// How often Mailjet must not have heard of a message before it is sent again.
const LOOK_UPS: u32 = 3;

/// Everything that can be set; all of it checked.
#[derive(Debug)]
pub struct Settings {
    /// Postgres.
    pub database: DatabaseUrl,
    /// RabbitMQ.
    pub broker: BrokerUrl,
    /// Opens credentials.
    pub keyring: Keyring,
    /// Where to serve health and metrics.
    pub listen: SocketAddr,
    /// Mailjet.
    pub mailjet: mailjet::Client,
    /// How long an incomplete batch of sends waits.
    pub linger: Duration,
    /// When to send again.
    pub retry: RetryPolicy,
    /// When to ask again.
    pub reconcile: ReconcilePolicy,
    /// Batches of sends being taken on at once, from each queue.
    pub send_lanes: usize,
    /// Batches of webhook bodies at once.
    pub event_lanes: usize,
    /// Webhook bodies that each of these may hold.
    pub event_prefetch: u16,
    /// Most webhook bodies of one batch.
    pub event_batch: usize,
    /// Most connections to Postgres.
    pub database_connections: usize,
    /// How long the end may take.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// Reads them all.
    pub fn read(environment: &Environment) -> Result<Self, Invalid> {
        // The client of Mailjet is made here, and needs to know which TLS to use.
        service::program::install_tls();
        let timeout = environment.read(&MAILJET_TIMEOUT, positive)?;
        Ok(Self {
            database: environment.read(&DATABASE_URL, DatabaseUrl::parse)?,
            broker: environment.read(&AMQP_URL, BrokerUrl::parse)?,
            keyring: environment.read(&ENCRYPTION_KEYS, Keyring::parse)?,
            listen: environment.read(&LISTEN, listen)?,
            mailjet: environment.read(&MAILJET_URL, |text| mailjet::Client::new(text, timeout))?,
            linger: environment.read(&BATCH_LINGER, duration)?,
            retry: RetryPolicy {
                base: environment.read(&RETRY_BASE, positive)?,
                max: environment.read(&RETRY_MAX, positive)?,
                window: environment.read(&RETRY_WINDOW, duration)?,
            },
            reconcile: ReconcilePolicy {
                after: environment.read(&RECONCILE_AFTER, positive)?,
                look_ups: LOOK_UPS,
            },
            send_lanes: environment.read(&SEND_LANES, count)?,
            event_lanes: environment.read(&EVENT_LANES, count)?,
            event_prefetch: environment.read(&EVENT_PREFETCH, prefetch)?,
            event_batch: environment.read(&EVENT_BATCH, count)?,
            database_connections: environment.read(&DATABASE_CONNECTIONS, count)?,
            shutdown_grace: environment.read(&SHUTDOWN_GRACE, duration)?,
        })
    }
}

/// Reads what a channel may hold: AMQP has 16 bits for it, and zero would mean no bound at all.
fn prefetch(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "is not a number from 1 to 65535".to_owned())
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

//! The settings of `raven-worker`.

use std::net::SocketAddr;
use std::time::Duration;

use broker::BrokerUrl;
use domain::Rhythm;
use domain::retry::{ReconcilePolicy, RetryPolicy};
use service::settings::{age, count, duration, listen, positive};
use service::shared::{
    AMQP_URL, DATABASE_URL, ENCRYPTION_KEYS, MAILJET_TIMEOUT, MAILJET_URL, SHUTDOWN_GRACE, mailjet_timeout,
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
const DOMAIN_CHECK: Variable = Variable {
    name: "RAVEN_DOMAIN_CHECK",
    default: Some("30s"),
    meaning: "how often a sending domain is looked at that lacks something since lately",
};
const DOMAIN_CHECK_SOON_FOR: Variable = Variable {
    name: "RAVEN_DOMAIN_CHECK_SOON_FOR",
    default: Some("10m"),
    meaning: "for how long it is looked at so often",
};
const DOMAIN_CHECK_LATER: Variable = Variable {
    name: "RAVEN_DOMAIN_CHECK_LATER",
    default: Some("1h"),
    meaning: "how often every other sending domain is looked at",
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
const WEBHOOK_CHECK: Variable = Variable {
    name: "RAVEN_WEBHOOK_CHECK",
    default: Some("5m"),
    meaning: "how often the webhooks that Raven registered at Mailjet are looked at, and put right",
};
const WEBHOOK_TOKEN_GRACE: Variable = Variable {
    name: "RAVEN_WEBHOOK_TOKEN_GRACE",
    default: Some("24h"),
    meaning: "how long a webhook's old token is still taken, while Mailjet may repeat what it had under way",
};

const KEEP_BODIES: Variable = Variable {
    name: "RAVEN_KEEP_BODIES",
    default: Some("30d"),
    meaning: "how long bodies, attachments and variables of settled messages are kept; off keeps them for ever",
};
const KEEP_MESSAGES: Variable = Variable {
    name: "RAVEN_KEEP_MESSAGES",
    default: Some("400d"),
    meaning: "how long settled messages are kept, with recipients and attempts; or off",
};
const KEEP_EVENTS: Variable = Variable {
    name: "RAVEN_KEEP_EVENTS",
    default: Some("400d"),
    meaning: "how long events are kept, and until their month is over; at least last month's are; or off",
};
const KEEP_AUDIT: Variable = Variable {
    name: "RAVEN_KEEP_AUDIT",
    default: Some("off"),
    meaning: "how long entries of the audit log are kept, such as 800d; off keeps them for ever",
};
const RETENTION_EVERY: Variable = Variable {
    name: "RAVEN_RETENTION_EVERY",
    default: Some("1h"),
    meaning: "how often one of the workers deletes what is older",
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
        &DOMAIN_CHECK,
        &DOMAIN_CHECK_SOON_FOR,
        &DOMAIN_CHECK_LATER,
        &SEND_LANES,
        &EVENT_LANES,
        &EVENT_PREFETCH,
        &EVENT_BATCH,
        &WEBHOOK_CHECK,
        &WEBHOOK_TOKEN_GRACE,
        &KEEP_BODIES,
        &KEEP_MESSAGES,
        &KEEP_EVENTS,
        &KEEP_AUDIT,
        &RETENTION_EVERY,
        &DATABASE_CONNECTIONS,
        &SHUTDOWN_GRACE,
    ],
};

/// How often Mailjet must not have heard of a message before it is sent again.
const LOOK_UPS: u32 = 3;

/// How the webhooks at Mailjet are looked after.
#[derive(Debug, Clone, Copy)]
pub struct WebhookPace {
    /// How often they are looked at.
    pub check: Duration,
    /// How long a token lives after no webhook carries it any more.
    pub token_grace: Duration,
}

/// How long what is settled is kept; none is for ever.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Bodies, with attachments and variables.
    pub bodies: Option<Duration>,
    /// Messages.
    pub messages: Option<Duration>,
    /// Events.
    pub events: Option<Duration>,
    /// Entries of the audit log.
    pub audit: Option<Duration>,
    /// How often what is older is deleted.
    pub every: Duration,
}

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
    /// When to look at sending domains.
    pub domains: Rhythm,
    /// Batches of sends being taken on at once, from each queue.
    pub send_lanes: usize,
    /// Batches of webhook bodies at once.
    pub event_lanes: usize,
    /// Webhook bodies that each of these may hold.
    pub event_prefetch: u16,
    /// Most webhook bodies of one batch.
    pub event_batch: usize,
    /// How the webhooks at Mailjet are looked after.
    pub webhooks: WebhookPace,
    /// How long what is settled is kept.
    pub retention: Retention,
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
        let timeout = environment.read(&MAILJET_TIMEOUT, mailjet_timeout)?;
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
            domains: Rhythm {
                soon: environment.read(&DOMAIN_CHECK, positive)?,
                soon_for: environment.read(&DOMAIN_CHECK_SOON_FOR, duration)?,
                later: environment.read(&DOMAIN_CHECK_LATER, positive)?,
                look: provisioning::domains::longest_look(timeout),
            },
            send_lanes: environment.read(&SEND_LANES, count)?,
            event_lanes: environment.read(&EVENT_LANES, count)?,
            event_prefetch: environment.read(&EVENT_PREFETCH, prefetch)?,
            event_batch: environment.read(&EVENT_BATCH, count)?,
            webhooks: WebhookPace {
                check: environment.read(&WEBHOOK_CHECK, positive)?,
                token_grace: environment.read(&WEBHOOK_TOKEN_GRACE, duration)?,
            },
            retention: Retention {
                bodies: environment.read(&KEEP_BODIES, age)?,
                messages: environment.read(&KEEP_MESSAGES, long_age)?,
                events: environment.read(&KEEP_EVENTS, age)?,
                audit: environment.read(&KEEP_AUDIT, age)?,
                every: environment.read(&RETENTION_EVERY, positive)?,
            },
            database_connections: environment.read(&DATABASE_CONNECTIONS, count)?,
            shutdown_grace: environment.read(&SHUTDOWN_GRACE, duration)?,
        })
    }
}

/// The shortest time for which messages are kept: as long as one is there, a repeat under its idempotency key is known.
const LEAST: Duration = Duration::from_hours(7 * 24);

/// Reads how long messages are kept.
fn long_age(text: &str) -> Result<Option<Duration>, &'static str> {
    match age(text)? {
        Some(age) if age < LEAST => Err("is under 7d, within which callers repeat what they are unsure of"),
        age => Ok(age),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_for_a_week_at_least() {
        assert!(long_age("6d").is_err());
        assert_eq!(long_age("7d"), Ok(Some(LEAST)));
        assert_eq!(long_age("off"), Ok(None));
    }
}

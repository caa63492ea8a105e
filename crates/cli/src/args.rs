//! The command line.

mod dead_letter;
mod webhook;

pub(crate) use dead_letter::{DeadLetter, Origin, Selection};
pub(crate) use webhook::{Event, Webhook};

use clap::{Parser, Subcommand, ValueEnum};
use domain::TenantId;
use domain::api_key::KeyId;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const SETTINGS: &str = "Settings (environment; NAME_FILE names a file that holds the value):
  DATABASE_URL           the Postgres database, such as postgres://user:password@host:5432/raven (all but dead-letter)
  AMQP_URL               RabbitMQ, such as amqp://user:password@host:5672/vhost (dead-letter)
  RAVEN_ENCRYPTION_KEYS  keys that seal credentials, as id:base64-of-32-bytes[,id:…] (provider, webhook)
  RAVEN_PUBLIC_URL       base of the webhook URLs that are registered (webhook register)
  MAILJET_URL            base URL of Mailjet's API (provider test, webhook; default https://api.mailjet.com)
  MAILJET_TIMEOUT        one call of it, from connect to last byte (default 10s)

Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.";

/// Operates an installation of Raven.
#[derive(Debug, Parser)]
#[command(name = "raven", version, after_help = SETTINGS, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print one JSON document on standard output, and nothing else there.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply the migrations that are missing. Safe to run at once from several places.
    Migrate,
    /// Create and list tenants.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Create, list and revoke API keys.
    #[command(subcommand)]
    Key(Key),
    /// Set and test a tenant's account at a provider.
    #[command(subcommand)]
    Provider(Provider),
    /// Register, list and remove a tenant's webhooks at Mailjet.
    #[command(subcommand)]
    Webhook(Webhook),
    /// Work on the stored delivery events.
    #[command(subcommand)]
    Events(Events),
    /// See, replay and discard what could not be processed.
    ///
    /// One such command runs at a time in one installation.
    #[command(subcommand)]
    DeadLetter(DeadLetter),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Create a tenant and its first API key, which is shown this once.
    Create {
        /// What people call the tenant.
        name: String,
    },
    /// List every tenant.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Create an API key, which is shown this once.
    Create {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
        /// Keep mail that is sent with the key in Mailjet's sandbox.
        #[arg(long)]
        test: bool,
        /// What the key covers: sending and reading, or everything.
        #[arg(long, value_enum, default_value_t = Scope::Manage)]
        scope: Scope,
    },
    /// List a tenant's keys, without their secrets.
    List {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Revoke a key; every process refuses it within seconds.
    Revoke {
        /// The eight hex digits after `rk_live_` or `rk_test_`.
        key: KeyId,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    Send,
    Manage,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Set the credentials of a provider. Example:
    /// printf %s "$SECRET" | raven provider set mailjet --tenant ID --from-email hello@example.com --api-key KEY
    /// --api-secret-stdin
    Set {
        /// The provider.
        #[arg(value_enum)]
        provider: ProviderName,
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
        /// The sender of messages that name none.
        #[arg(long)]
        from_email: String,
        /// The name beside it.
        #[arg(long)]
        from_name: Option<String>,
        /// The account's API key.
        #[arg(long)]
        api_key: String,
        /// The account's secret. Better from the environment or standard input: arguments are seen by every user.
        #[arg(
            long,
            env = "MAILJET_API_SECRET",
            hide_env_values = true,
            required_unless_present = "api_secret_stdin"
        )]
        api_secret: Option<String>,
        /// Read the secret from standard input.
        #[arg(long)]
        api_secret_stdin: bool,
    },
    /// Test whether the account works, without sending mail: its credentials, the default sender, sending limits. Ends
    /// with 1 if something is not well.
    #[command(after_help = "Example: raven provider test mailjet --tenant 0190d3a4-…")]
    Test {
        /// The provider.
        #[arg(value_enum)]
        provider: ProviderName,
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ProviderName {
    Mailjet,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Read the stored raw items again with the rules of this version, and write what differs: history, statuses,
    /// suppressions. A status that rested on another reading is taken back; nobody is taken off the suppression list, but
    /// those whose reason has gone are named. Services go on meanwhile; a second run finds nothing to do. Example:
    /// raven events renormalise --since 2026-11-01
    Renormalise {
        /// Events that happened since then: a date (UTC) or a time such as 2026-11-01T12:00:00Z.
        #[arg(long, value_parser = moment)]
        since: Timestamp,
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Only count what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(day).ok_or_else(|| "is no date and no time with its offset".to_owned())
}

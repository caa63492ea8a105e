//! The arguments of `raven key`.

use clap::{Subcommand, ValueEnum};
use domain::TenantId;
use secrecy::SecretString;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Create an API key, which is shown this once.
    #[command(after_help = "Example: raven key create --tenant 019a4d2e-… --scope send --name 'Shop, live'")]
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
        /// What people call the key.
        #[arg(long)]
        name: Option<String>,
    },
    /// List a tenant's keys, newest first, without their secrets.
    #[command(after_help = "Example: raven key list --tenant 019a4d2e-…")]
    List {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Revoke a key; every process refuses it within seconds.
    #[command(after_help = "Example: raven key revoke 0a1b2c3d")]
    Revoke {
        /// The eight hex digits after `rk_live_` or `rk_test_`; the whole key will do.
        key: SecretString,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    Send,
    Manage,
}

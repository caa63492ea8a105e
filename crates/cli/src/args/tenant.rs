//! The arguments of `raven tenant`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Create a tenant and its first API key, which is shown this once.
    #[command(after_help = "Example: raven tenant create \"Our shop\" --json")]
    Create {
        /// What people call the tenant.
        name: String,
    },
    /// List every tenant.
    #[command(after_help = "Example: raven tenant list")]
    List,
}

//! The arguments of `raven provider`.

use clap::{Args, Subcommand, ValueEnum};
use domain::TenantId;
use secrecy::SecretString;

const SET: &str = "Example: printf %s \"$SECRET\" | raven provider set mailjet --tenant 019a4d2e-… \\
             --from-email hello@example.com --from-name \"Our shop\" --api-key KEY --api-secret-stdin";

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Set the credentials of a provider.
    #[command(after_help = SET)]
    Set(Account),
    /// Test whether the account works, without sending mail: its credentials, the default sender, sending limits. Ends
    /// with 1 if something is not well.
    #[command(after_help = "Example: raven provider test mailjet --tenant 019a4d2e-…")]
    Test(Which),
    /// Show a tenant's account, of its credentials only the last characters.
    #[command(after_help = "Example: raven provider show mailjet --tenant 019a4d2e-…")]
    Show(Which),
    /// Forget a tenant's account; what it has queued waits for another one.
    #[command(after_help = "Example: raven provider delete mailjet --tenant 019a4d2e-…")]
    Delete(Which),
}

/// An account to set.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The sender of messages that name none.
    #[arg(long)]
    pub(crate) from_email: String,
    /// The name beside it.
    #[arg(long)]
    pub(crate) from_name: Option<String>,
    /// The account's API key.
    #[arg(long, env = "MAILJET_API_KEY", hide_env_values = true)]
    pub(crate) api_key: SecretString,
    /// The account's secret. Better from the environment or standard input: arguments are seen by every user.
    #[arg(
        long,
        env = "MAILJET_API_SECRET",
        hide_env_values = true,
        required_unless_present = "api_secret_stdin"
    )]
    pub(crate) api_secret: Option<SecretString>,
    /// Read the secret from standard input.
    #[arg(long)]
    pub(crate) api_secret_stdin: bool,
}

/// Whose account, and where.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Which {
    /// The provider.
    #[arg(value_enum)]
    pub(crate) provider: ProviderName,
    /// The tenant's id.
    #[arg(long)]
    pub(crate) tenant: TenantId,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ProviderName {
    Mailjet,
}

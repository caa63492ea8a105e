//! The arguments of `raven audit`.

use clap::Subcommand;
use domain::{Action, TenantId};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List what was changed by the API, by operators and by workers, and who did it, newest first.
    #[command(after_help = "Example: raven audit list --tenant 019a4d2e-… --action key.revoked")]
    List {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
        /// Only this action, such as `provider.set`.
        #[arg(long)]
        action: Option<Action>,
        /// Show so many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Go on behind the entry with this id.
        #[arg(long)]
        cursor: Option<i64>,
    },
}

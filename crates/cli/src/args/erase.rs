//! The arguments of `raven erase`.

use clap::Args;
use domain::{EmailAddress, TenantId};

const EXAMPLE: &str = "Example: raven erase ada@example.com --tenant ID

Address, names, subjects, bodies, attachments, metadata and variables of messages to the address go, and what events and
the audit log tell of it. Ids, times, statuses and digests stay. What is still to be sent to this address only is
canceled. The answer names what is not reached, and why. Messages that are being sent just now are pending: run it again
until it is complete. A repeat does no harm.";

/// Whom to erase.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Erase {
    /// The person's address; case does not matter.
    #[arg(value_parser = EmailAddress::parse)]
    pub(crate) email: EmailAddress,
    /// The tenant's id.
    #[arg(long)]
    pub(crate) tenant: TenantId,
    /// Take the address off the suppression list as well. Without this it stays, so that nobody writes to it again.
    #[arg(long)]
    pub(crate) forget_suppression: bool,
}

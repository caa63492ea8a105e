//! The arguments of `raven domain`.

use ::domain::{DomainName, TenantId};
use clap::{Args, Subcommand};

const ADD: &str = "Example: raven domain add shop.example.com --tenant 019a4d2e-…

Prints the three records to publish. Adding a domain again is harmless, and prints them again.";
const LIST: &str = "Example: raven domain list --tenant 019a4d2e-…";
const SHOW: &str = "Example: raven domain show shop.example.com --tenant 019a4d2e-…

Of SPF, `value` is what to put into the record that the domain has, since there may be only one; `valueIfNone` is the whole
record of a domain that has none.";
const CHECK: &str = "Example: raven domain check shop.example.com --tenant 019a4d2e-…

Workers do this by themselves.";
const REMOVE: &str = "Example: raven domain remove shop.example.com --tenant 019a4d2e-…

Mailjet then takes no more mail from addresses that were let pass for the domain's sake. Addresses that are senders of their
own at Mailjet stay as they are.";

#[derive(Debug, Subcommand)]
pub(crate) enum Domain {
    /// Register a domain at Mailjet, and show what to publish for it.
    #[command(after_help = ADD)]
    Add(Named),
    /// List a tenant's domains.
    #[command(after_help = LIST)]
    List {
        /// The tenant's id.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Show a domain and its records, as the last look found them.
    #[command(after_help = SHOW)]
    Show(Named),
    /// Have Mailjet look at a domain now, and show what it found.
    #[command(after_help = CHECK)]
    Check(Named),
    /// Remove a domain, here and at Mailjet.
    #[command(after_help = REMOVE)]
    Remove(Named),
}

/// Which domain.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The domain's name.
    pub(crate) domain: DomainName,
    /// The tenant's id.
    #[arg(long)]
    pub(crate) tenant: TenantId,
}

//! Whose messages are sent: tenants with an account each at the stand-in for Mailjet.

use anyhow::Result;

use crate::installation::{Installation, Tenant};

/// How many tenants send at once in the wider shape.
const MANY: usize = 20;

/// How many tenants the messages of a queue belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// One
    One,
    /// Twenty, in turn
    Many,
}

impl Shape {
    /// These of all tenants.
    pub(super) fn of(self, tenants: &[Tenant]) -> &[Tenant] {
        match self {
            Self::One => &tenants[..1],
            Self::Many => tenants,
        }
    }

    /// In a table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one tenant",
            Self::Many => "20 tenants in turn",
        }
    }
}

/// Makes them all in the template.
pub(super) async fn create(installation: &Installation) -> Result<Vec<Tenant>> {
    let mut tenants = Vec::new();
    for number in 1..=MANY {
        let tenant = installation.create_tenant(&format!("Sender {number}")).await?;
        let (id, account) = (tenant.id.to_string(), account(&tenant));
        let sender = ["--from-email", "shop@example.com", "--from-name", "Shop"];
        let set = ["provider", "set", "mailjet", "--tenant", &id, "--api-key", &account];
        installation.raven(&[&set[..], &sender].concat()).await?;
        tenants.push(tenant);
    }
    Ok(tenants)
}

/// The API key of a tenant's account, by which the stand-in's ledger tells whose a message is.
pub(super) fn account(tenant: &Tenant) -> String {
    format!("bench-{}", tenant.id)
}

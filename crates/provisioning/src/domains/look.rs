//! One look at a domain: a short chain of calls, under a time limit as a whole.

use std::time::Duration;

use domain::{DomainName, DomainRecord, TenantId};
use mailjet::{DomainDns, Origin, Rest, RestError, Standing, Validation};
use store::domains::Domain;

use super::records::{self, Ownership};
use crate::{Error, Provisioner};

/// Calls that may take their longest in one look; most take a fraction of that.
const CALLS: u32 = 3;

/// The longest that one look takes, where a call takes so long at most.
pub const fn longest_look(timeout: Duration) -> Duration {
    timeout.saturating_mul(CALLS)
}

/// What was seen.
pub(super) struct Sight {
    /// The records, and how they were found.
    pub(super) records: Vec<DomainRecord>,
    /// The sender that this look made, if it had to.
    made: Option<i64>,
}

impl Provisioner {
    /// Looks at a domain. Should its sender be missing at Mailjet, because somebody deleted it there or because the tenant
    /// has another account now, it is made again: as long as the domain stands here, it is meant to be there.
    pub(super) async fn look(&self, domain: &Domain) -> Result<Sight, Error> {
        let (_, account) = self.account(domain.tenant).await?;
        let seeing = see(self.mailjet.rest(&account), &domain.name);
        let seen = tokio::time::timeout(longest_look(self.mailjet.timeout()), seeing).await;
        Ok(seen.map_err(|_| RestError::Unavailable("its answers took too long".to_owned()))??)
    }

    /// Takes back what a look has made for a domain that was removed meanwhile. Should that fail, a sender is left over at
    /// Mailjet that does no harm.
    pub(super) async fn tidy(&self, tenant: TenantId, sight: &Sight) {
        let (Some(id), Ok((_, account))) = (sight.made, self.account(tenant).await) else { return };
        if let Err(fault) = self.mailjet.rest(&account).delete_sender(id).await {
            tracing::debug!(%tenant, %fault, "the sender of a removed domain is left over");
        }
    }
}

async fn see(rest: Rest<'_>, name: &DomainName) -> Result<Sight, RestError> {
    let (sender, origin) = rest.ensure_domain_sender(name).await?;
    let ownership = match sender.standing {
        Standing::Active => Ownership::Proved,
        _ => prove(rest, name, sender.id).await?,
    };
    let dns = dns(rest, name).await?;
    let findings = rest.check_dns(name).await?;
    let made = (origin == Origin::Made).then_some(sender.id);
    Ok(Sight { records: records::seen(&dns, &ownership, &findings), made })
}

/// Asks for a validation. What counts is the state of the sender afterwards, whatever the answer said.
async fn prove(rest: Rest<'_>, name: &DomainName, id: i64) -> Result<Ownership, RestError> {
    match rest.validate_sender(id).await? {
        Validation::Failed(words) => Ok(Ownership::Unproved(words)),
        Validation::Passed => {
            let now = rest.domain_sender(name).await?;
            let active = now.is_some_and(|sender| sender.standing == Standing::Active);
            Ok(if active { Ownership::Proved } else { Ownership::Unproved(None) })
        }
    }
}

/// What the domain should publish.
pub(super) async fn dns(rest: Rest<'_>, name: &DomainName) -> Result<DomainDns, RestError> {
    let dns = rest.domain_dns(name).await?;
    dns.ok_or_else(|| RestError::Unavailable("it knows no DNS records of the domain yet".to_owned()))
}

//! Sending domains: registered at Mailjet, looked at there, and deleted there.
//!
//! A domain counts as verified by what Mailjet found when it last looked, and by nothing else: that is what it signs and
//! sends by. When a record has gone, the domain is pending again at once.

mod look;
mod records;

use std::time::Duration;

use domain::{Actor, DomainId, DomainName, DomainStatus, Reason, Rhythm, TenantId};
use mailjet::{Credentials, RestError, Standing};
use secrecy::ExposeSecret as _;
use store::domains::{self, Domain, Turn, Verdict};
use store::providers;

pub use self::look::longest_look;
use crate::{Error, Provisioner};

/// The least time between two looks at a domain of which one is on demand, so that nobody hammers Mailjet.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a caller who waits for that sees whether it is over.
const GLANCE: Duration = Duration::from_millis(100);
/// How long a caller waits, should many others wait as well.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of a worker's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Whose domain it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: DomainName,
    /// What happened to it.
    pub news: News,
}

/// What a look has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// The status, to this.
    Status(DomainStatus),
    /// It was not answered, and the look before it was, or not for this reason.
    Fault(Reason),
}

impl Provisioner {
    /// Registers a domain at Mailjet and here. What is registered already, at either, is taken as it is; so a repeat
    /// completes what a failure left half done.
    pub async fn add_domain(&self, tenant: TenantId, name: &DomainName, by: Actor) -> Result<Domain, Error> {
        if let Some(known) = domains::find(&self.store, tenant, name).await? {
            return Ok(known);
        }
        let (_, account) = self.account(tenant).await?;
        let rest = self.mailjet.rest(&account);
        rest.ensure_domain_sender(name).await?;
        let dns = look::dns(rest, name).await?;
        Ok(domains::add(&self.store, tenant, name, &records::unseen(&dns), by).await?)
    }

    /// Looks at a domain now, and answers it as it is after that; nothing if the tenant has no such domain. Whoever asks
    /// too soon after another look waits; a look that began meanwhile is as good as one's own.
    pub async fn check_domain(
        &self,
        tenant: TenantId,
        id: DomainId,
        by: Actor,
    ) -> Result<Option<Domain>, Error> {
        let waiting = tokio::time::timeout(PATIENCE, self.turn_on_demand(tenant, id));
        match waiting.await {
            Ok(Ok(Verdict::Missing)) => Ok(None),
            Ok(Ok(Verdict::Now(turn))) => self.take_turn(&turn, by).await,
            Ok(Ok(Verdict::Later(answered, _))) => Ok(Some(*answered)),
            Ok(Err(fault)) => Err(fault.into()),
            Err(_) => Err(RestError::Unavailable("too many ask for this domain at once".to_owned()).into()),
        }
    }

    /// A turn, as soon as there is one, or the domain as it was answered to somebody else who began after this call did.
    async fn turn_on_demand(&self, tenant: TenantId, id: DomainId) -> Result<Verdict, store::Error> {
        let mut first = None;
        loop {
            let verdict = domains::take(&self.store, tenant, id, PAUSE).await?;
            let Verdict::Later(domain, began_at) = &verdict else { return Ok(verdict) };
            if domain.last_checked_at > Some(*first.get_or_insert(*began_at)) {
                return Ok(verdict);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Takes the turn of the domain that is due first, but for those of the tenants `busy`.
    pub async fn take_due_domain(
        &self,
        rhythm: &Rhythm,
        busy: impl IntoIterator<Item = TenantId>,
    ) -> Result<Option<Turn>, store::Error> {
        domains::take_due(&self.store, rhythm, busy).await
    }

    /// Looks at a domain whose turn was taken.
    pub async fn look_at_domain(&self, turn: Turn) -> Result<Looked, store::Error> {
        let before = turn.domain.status;
        let news = match self.take_turn(&turn, Actor::Worker).await {
            Ok(Some(now)) if now.status != before => News::Status(now.status),
            Ok(_) => News::None,
            Err(Error::Store(fault)) => return Err(fault),
            Err(fault)
                if turn.domain.error.as_ref().map(|known| known.code.as_str()) == Some(code(&fault)) =>
            {
                News::None
            }
            Err(fault) => News::Fault(reason(&fault)),
        };
        let Domain { tenant, name, .. } = turn.domain;
        Ok(Looked { tenant, name, news })
    }

    /// Removes a domain at Mailjet and here; answers whether the tenant had it. At Mailjet, addresses under it that are
    /// senders of their own stay as they are. One whose account is gone is removed here only.
    pub async fn remove_domain(&self, tenant: TenantId, id: DomainId, by: Actor) -> Result<bool, Error> {
        let Some(domain) = domains::get(&self.store, tenant, id).await? else { return Ok(false) };
        match self.account(tenant).await {
            Ok((_, account)) => self.withdraw(&domain, &account).await?,
            Err(Error::NoAccount) => {}
            Err(fault) => return Err(fault),
        }
        Ok(domains::remove(&self.store, tenant, id, by).await?)
    }

    /// Deletes the sender, unless another tenant sends by it with the same account.
    async fn withdraw(&self, domain: &Domain, account: &Credentials) -> Result<(), Error> {
        let others = domains::other_owners(&self.store, domain.tenant, &domain.name).await?;
        let others = providers::get_many(&self.store, &self.keyring, &others).await?;
        let same =
            |other: &providers::Provider| other.api_key.expose_secret() == account.api_key.expose_secret();
        if others.values().flatten().any(same) {
            return Ok(());
        }
        let rest = self.mailjet.rest(account);
        let sender = rest.domain_sender(&domain.name).await?;
        if let Some(sender) = sender.filter(|sender| sender.standing != Standing::Deleted) {
            rest.delete_sender(sender.id).await?;
        }
        Ok(())
    }

    /// Looks, and writes what was seen, or why nothing was. Nothing is answered if the domain was removed meanwhile.
    async fn take_turn(&self, turn: &Turn, by: Actor) -> Result<Option<Domain>, Error> {
        match self.look(&turn.domain).await {
            Ok(sight) => {
                let known = domains::conclude(&self.store, turn, &sight.records, by).await?;
                if known.is_none() {
                    self.tidy(turn.domain.tenant, &sight).await;
                }
                Ok(known)
            }
            Err(Error::Store(fault)) => Err(fault.into()),
            Err(fault) => {
                domains::fail(&self.store, turn, &reason(&fault)).await?;
                Err(fault)
            }
        }
    }
}

/// A failure as it is shown with the domain.
fn reason(fault: &Error) -> Reason {
    Reason::new(code(fault), fault.to_string())
}

/// The codes of failures, a closed set.
const fn code(fault: &Error) -> &'static str {
    match fault {
        Error::NoAccount => "no_account",
        Error::Store(_) | Error::Changed => "internal",
        Error::Mailjet(RestError::Unauthorized(_)) => "unauthorized",
        Error::Mailjet(RestError::Refused { .. }) => "refused",
        Error::Mailjet(RestError::RateLimited) => "rate_limited",
        Error::Mailjet(RestError::Unavailable(_)) => "unavailable",
    }
}

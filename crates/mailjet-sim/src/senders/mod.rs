//! Senders and sending domains of every API key, and the imitated DNS they are checked against.
//! Bounded: so many API keys, senders per key and domains in the DNS; more are refused.

pub(crate) mod account;
pub(crate) mod zone;

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use serde_json::Value;

use self::{
    account::{Account, Sender, Standing, Validation, Wish},
    zone::{Dns, Looks, Publish, Published, Zone},
};
use crate::util::lock;

/// API keys with senders, senders of a key, and domains in the DNS, at most.
const MOST: usize = 10_000;

/// Why a sender cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// There is one, in this state.
    Exists(Standing),
    /// There are too many.
    Full,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    accounts: Mutex<HashMap<String, Account>>,
    dns: Mutex<Dns>,
    looks: Mutex<HashMap<String, Looks>>,
    last: AtomicU64,
}

impl Senders {
    /// Whether mail from this address is let pass. An address whose local part is `unverified` never is.
    pub(crate) fn may_send_from(&self, api_key: &str, email: &str) -> bool {
        !is_unverified(email) && self.accounts().get(api_key).is_none_or(|account| account.allows(email))
    }

    /// Registers a sender.
    pub(crate) fn add(&self, api_key: &str, email: &str, wish: Wish) -> Result<Sender, Rejected> {
        let mut accounts = self.accounts();
        if !accounts.contains_key(api_key) && accounts.len() >= MOST {
            return Err(Rejected::Full);
        }
        let account = accounts.entry(api_key.to_owned()).or_default();
        if let Some(sender) = account.find(email) {
            return Err(Rejected::Exists(sender.status));
        }
        if account.senders.len() >= MOST {
            return Err(Rejected::Full);
        }
        let next_id = || self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(account.add(&email.to_lowercase(), wish, next_id))
    }

    /// Changes a sender, and whether that changed anything. A deleted one comes back to life, inactive.
    pub(crate) fn change(&self, api_key: &str, element: &str, wish: Wish) -> Option<(Sender, bool)> {
        let mut accounts = self.accounts();
        let sender = accounts.get_mut(api_key)?.find(element)?;
        let before = (sender.name.clone(), sender.email_type.clone(), sender.is_default, sender.status);
        sender.name = wish.name.unwrap_or_else(|| before.0.clone());
        sender.email_type = wish.email_type.unwrap_or_else(|| before.1.clone());
        sender.is_default = wish.is_default.unwrap_or(before.2);
        if sender.status == Standing::Deleted {
            sender.status = Standing::Inactive;
        }
        let after = (sender.name.clone(), sender.email_type.clone(), sender.is_default, sender.status);
        Some((sender.clone(), before != after))
    }

    /// Deletes a sender: its row stays, in another state. Whether there was one.
    pub(crate) fn delete(&self, api_key: &str, element: &str) -> bool {
        let mut accounts = self.accounts();
        let sender = accounts.get_mut(api_key).and_then(|account| account.find(element));
        let Some(sender) = sender.filter(|sender| sender.status != Standing::Deleted) else { return false };
        sender.status = Standing::Deleted;
        true
    }

    /// Looks for a proof of ownership and makes the sender active if there is one.
    pub(crate) fn validate(&self, api_key: &str, element: &str) -> Option<Validation> {
        let mut accounts = self.accounts();
        let account = accounts.get_mut(api_key)?;
        let domain = account.find(element)?.domain().to_owned();
        self.count(&domain, |looks| looks.validations += 1);
        account.validate(element, self.published(&domain))
    }

    /// The sender with this number or address. As long as an API key has registered none, mail is let pass from every
    /// address, so each that is asked for is one.
    pub(crate) fn sender(&self, api_key: &str, element: &str) -> Option<Sender> {
        match self.accounts().get_mut(api_key) {
            Some(account) if !account.senders.is_empty() => account.find(element).cloned(),
            _ if element.contains('@') && !element.starts_with('*') && !is_unverified(element) => {
                Some(Sender::implied(element))
            }
            _ => None,
        }
    }

    /// Every sender of an API key.
    pub(crate) fn senders(&self, api_key: &str) -> Vec<Sender> {
        self.accounts().get(api_key).map(|account| account.senders.clone()).unwrap_or_default()
    }

    /// The domain with this number or name.
    pub(crate) fn zone(&self, api_key: &str, element: &str) -> Option<Zone> {
        self.accounts().get_mut(api_key)?.zone(element).cloned()
    }

    /// Every domain of an API key.
    pub(crate) fn zones(&self, api_key: &str) -> Vec<Zone> {
        self.accounts().get(api_key).map(|account| account.zones.clone()).unwrap_or_default()
    }

    /// Looks a domain up in the DNS and notes what was found.
    pub(crate) fn check(&self, api_key: &str, element: &str) -> Option<Value> {
        let mut accounts = self.accounts();
        let zone = accounts.get_mut(api_key)?.zone(element)?;
        let published = self.published(&zone.domain);
        self.count(&zone.domain, |looks| looks.checks += 1);
        Some(zone.check(published, Timestamp::now()))
    }

    /// Changes what a domain publishes; nothing if the DNS is full.
    pub(crate) fn publish(&self, domain: &str, change: Publish) -> Option<Published> {
        let mut dns = lock(&self.dns);
        let domain = domain.to_lowercase();
        if !dns.contains_key(&domain) && dns.len() >= MOST {
            return None;
        }
        let published = dns.entry(domain).or_default();
        change.apply(published);
        Some(*published)
    }

    /// What a domain publishes, and how often it was looked at, whichever API key asked.
    pub(crate) fn seen(&self, domain: &str) -> (Published, Looks) {
        let domain = domain.to_lowercase();
        (self.published(&domain), lock(&self.looks).get(&domain).copied().unwrap_or_default())
    }

    fn count(&self, domain: &str, look: impl FnOnce(&mut Looks)) {
        let mut looks = lock(&self.looks);
        if looks.contains_key(domain) || looks.len() < MOST {
            look(looks.entry(domain.to_owned()).or_default());
        }
    }

    fn published(&self, domain: &str) -> Published {
        lock(&self.dns).get(domain).copied().unwrap_or_default()
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        lock(&self.accounts)
    }
}

/// Whether the address is one that never is a sender.
fn is_unverified(email: &str) -> bool {
    email.split('@').next().unwrap_or_default().eq_ignore_ascii_case("unverified")
}

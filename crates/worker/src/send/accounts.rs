//! The accounts of tenants, known for a moment.
//!
//! A batch of messages needs the accounts of its tenants, and the next batch those of the same ones again. What is read
//! here is a little old at most; that a changed account takes effect within seconds is promised, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Mailbox, Reason, TenantId};
use jiff::Timestamp;
use mailjet::Credentials;
use store::providers::{self, AccountDigest, Provider};
use store::{Keyring, Store};
use tokio::time::Instant;

/// How long an account is taken for what it was.
const FRESH: Duration = Duration::from_secs(2);
/// Accounts that are remembered; above this, those that are not fresh are forgotten.
const MOST: usize = 10_000;

/// The account of a tenant, ready for calls.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) credentials: Credentials,
    /// The sender of messages that name none.
    pub(crate) from: Mailbox,
    /// Tells it from another one.
    pub(crate) digest: AccountDigest,
    /// Tells it from what it was before a change.
    pub(crate) changed_at: Timestamp,
}

/// An account, or why there is none to send with.
pub(crate) type Known = Result<Arc<Account>, Reason>;

pub(crate) struct Accounts {
    store: Store,
    keyring: Keyring,
    known: Mutex<HashMap<TenantId, (Instant, Known)>>,
}

impl Accounts {
    pub(crate) fn new(store: Store, keyring: Keyring) -> Self {
        Self { store, keyring, known: Mutex::default() }
    }

    /// The account of each tenant.
    pub(crate) async fn of(
        &self,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Result<HashMap<TenantId, Known>, store::Error> {
        let (mut found, mut missing) = (HashMap::new(), Vec::new());
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for tenant in tenants {
                match known.get(&tenant) {
                    Some((read_at, account)) if read_at.elapsed() < FRESH => {
                        found.insert(tenant, account.clone());
                    }
                    _ => missing.push(tenant),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let mut read = providers::get_many(&self.store, &self.keyring, &missing).await?;
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST {
            known.retain(|_, (read_at, _)| read_at.elapsed() < FRESH);
        }
        for tenant in missing {
            let account = account(read.remove(&tenant));
            known.insert(tenant, (now, account.clone()));
            found.insert(tenant, account);
        }
        Ok(found)
    }
}

fn account(found: Option<Result<Provider, store::Error>>) -> Known {
    let provider = match found {
        Some(Ok(provider)) => provider,
        Some(Err(fault)) => return Err(Reason::new("credentials_unreadable", fault.to_string())),
        None => {
            let words = "The tenant has no Mailjet account: set it with PUT /v1/providers/mailjet.";
            return Err(Reason::new("provider_missing", words));
        }
    };
    let from = Mailbox::new(&provider.from_email, provider.from_name.as_deref())
        .map_err(|fault| Reason::new("sender_invalid", format!("The provider's from_email {fault}.")))?;
    Ok(Arc::new(Account {
        digest: AccountDigest::of(&provider.api_key),
        credentials: Credentials { api_key: provider.api_key, api_secret: provider.api_secret },
        from,
        changed_at: provider.updated_at,
    }))
}

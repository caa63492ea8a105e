//! What Raven sets up and looks after in a tenant's Mailjet account: whether it works, which webhooks are registered
//! there, and the domains that it may send from. The management API does this on request, workers by the clock.
//!
//! Guarantees: everything here may be repeated, and comes to the same end; what Mailjet was told is noted only after it
//! agreed; no transaction is open during a call.
//!
//! This crate must never send mail, and must never know how requests reach us.

pub mod connection;
pub mod domains;
pub mod webhooks;

use std::sync::Arc;

use domain::TenantId;
pub use mailjet::RestError;
use mailjet::{Client, Credentials};
use store::providers::{self, Provider};
use store::{Keyring, Store};

/// Why something could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant has no account at Mailjet.
    #[error("the tenant has no Mailjet account: set it with PUT /v1/providers/mailjet")]
    NoAccount,
    /// What was asked for is not what is wanted any more.
    #[error("the webhooks were registered or removed by another request at the same time: try again")]
    Changed,
    /// Mailjet did not do it.
    #[error(transparent)]
    Mailjet(#[from] RestError),
    /// The database did not.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A handle on all that is needed for it; clones share it.
#[derive(Debug, Clone)]
pub struct Provisioner {
    store: Store,
    keyring: Arc<Keyring>,
    mailjet: Client,
}

impl Provisioner {
    /// Works with this database, ring of keys and Mailjet.
    pub fn new(store: Store, keyring: Arc<Keyring>, mailjet: Client) -> Self {
        Self { store, keyring, mailjet }
    }

    /// The account of a tenant.
    async fn account(&self, tenant: TenantId) -> Result<(Provider, Credentials), Error> {
        let provider = providers::get(&self.store, &self.keyring, tenant).await?.ok_or(Error::NoAccount)?;
        let (api_key, api_secret) = (provider.api_key.clone(), provider.api_secret.clone());
        Ok((provider, Credentials { api_key, api_secret }))
    }
}

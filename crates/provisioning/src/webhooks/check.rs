//! What workers do by the clock.

use std::time::Duration;

use domain::{Actor, TenantId};
use jiff::Timestamp;
use store::webhook_registrations::{self, Finding, Registration};
use store::{Error as StoreError, managed_tokens};

use super::apply::contested;
use crate::{Error, Provisioner};

/// A registration that is to be looked at.
#[derive(Debug)]
pub struct Due {
    tenant: TenantId,
    registration: Result<Registration, StoreError>,
}

impl Due {
    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// How a check went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many webhooks were put right.
    pub healed: usize,
    /// What was in the way, if that is news.
    pub fault: Option<String>,
    /// Whether strangers are left alone from now on.
    pub newly_contested: bool,
}

impl Provisioner {
    /// Takes up to `most` registrations that are due, of any tenants; nobody else is given them for the time of `lease`.
    pub async fn take_due_webhooks(&self, most: i64, lease: Duration) -> Result<Vec<Due>, StoreError> {
        let due = webhook_registrations::take_due(&self.store, &self.keyring, most, lease).await?;
        Ok(due.into_iter().map(|(tenant, registration)| Due { tenant, registration }).collect())
    }

    /// Revokes tokens that no webhook has carried for the grace; answers how many.
    pub async fn revoke_unused_webhook_tokens(&self, grace: Duration) -> Result<usize, StoreError> {
        managed_tokens::revoke_unused(&self.store, grace).await
    }

    /// Looks whether Mailjet still has what is wanted, and puts right what is not. Mailjet's failures are written down, and
    /// are no errors here; the next check, so much later, tries again.
    pub async fn check_webhooks(&self, due: Due, again_in: Duration) -> Result<Checked, StoreError> {
        let registration = match due.registration {
            Ok(registration) => registration,
            Err(fault) => {
                let fault = fault.to_string();
                let is_news =
                    webhook_registrations::note_fault(&self.store, due.tenant, &fault, again_in).await?;
                return Ok(Checked { fault: is_news.then_some(fault), ..Checked::default() });
            }
        };
        let before = registration.takings;
        let mut finding = Finding { takings: before, again_in, ..Finding::default() };
        let mut checked = Checked::default();
        let result = match self.heal(&registration).await {
            Ok(applied) => {
                finding.takings = applied.takings(before, Timestamp::now());
                finding.done = applied.done();
                checked.healed = applied.repaired.len();
                applied.result
            }
            Err(fault) => Err(fault),
        };
        checked.newly_contested = before.contested_at.is_none() && finding.takings.contested_at.is_some();
        finding.done.extend(checked.newly_contested.then(contested));
        finding.fault = match result {
            // What is wanted by now is looked at by itself.
            Ok(()) | Err(Error::Changed) => None,
            // What was done by then is written down all the same, if that can be.
            Err(Error::Store(fault)) if fault.is_transient() => {
                Some("the database did not answer".to_owned())
            }
            Err(fault) => Some(fault.to_string()),
        };
        checked.fault = finding.fault.clone().filter(|fault| registration.fault.as_ref() != Some(fault));
        let subject = (registration.tenant, registration.revision);
        webhook_registrations::note_check(&self.store, subject, Actor::Worker, &finding).await?;
        Ok(checked)
    }
}

//! Sending: from a batch of claimed messages to their recorded outcomes.

mod call;
mod conclude;
mod fill;
mod queue;
pub(crate) mod reconcile;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::retry::{ReconcilePolicy, RetryPolicy};
use domain::{Mailbox, Message, MessageId, Outcome, Reason, TenantId};
use futures_util::future::join_all;
use jiff::Timestamp;
use mailjet::Credentials;
use store::messages::Transition;
use store::providers::{self, Provider};
use store::{Keyring, Store};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::settings::Settings;

/// Calls to Mailjet in progress at once in this process. Mailjet takes 500 calls in 10 s from an account.
const CALLS: usize = 32;
/// A lease outlasts the last moment at which a call may be in progress by this much.
const MARGIN: Duration = Duration::from_secs(2);
/// How long recording an outcome is tried. After that it is found out by asking Mailjet.
const RECORD_FOR: Duration = Duration::from_secs(30);

/// A claimed message.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: MessageId,
    pub(crate) tenant: TenantId,
    /// The attempt that the claim began, from 1.
    pub(crate) attempt: u32,
    /// Since when it was to be sent.
    pub(crate) since: Timestamp,
    pub(crate) sandbox: bool,
    /// Without the recipients that are left out.
    pub(crate) message: Message,
}

/// Everything that sending needs.
pub(crate) struct Sender {
    store: Store,
    keyring: Keyring,
    client: mailjet::Client,
    retry: RetryPolicy,
    reconcile: ReconcilePolicy,
    calls: Arc<Semaphore>,
}

/// The account of a tenant, ready for calls.
#[derive(Debug)]
struct Account {
    credentials: Credentials,
    from: Mailbox,
}

impl Sender {
    pub(crate) fn new(settings: &Settings, store: Store) -> Self {
        Self {
            store,
            keyring: settings.keyring.clone(),
            client: settings.mailjet.clone(),
            retry: settings.retry,
            reconcile: settings.reconcile,
            calls: Arc::new(Semaphore::new(CALLS)),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// How long a claim holds: as long as a call under it may begin, a whole call, and a margin. So no other worker
    /// asks for, or sends, a message that may still be in somebody's call.
    pub(crate) fn lease(&self) -> Duration {
        self.client.timeout() * 2 + MARGIN
    }

    /// Call this before claiming; the answer is the last moment at which a call under that claim may begin.
    pub(crate) fn begin(&self) -> Instant {
        Instant::now() + self.client.timeout()
    }

    /// Hands claimed messages over, and answers what became of each. `until` is from [`Self::begin`].
    pub(crate) async fn deliver(&self, jobs: Vec<Job>, until: Instant) -> Vec<Transition> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let accounts = match self.accounts(&jobs).await {
            Ok(accounts) => accounts,
            Err(fault) => {
                let reason = Reason::new("database_unavailable", fault.to_string());
                return jobs.iter().map(|job| self.conclude(job, Outcome::NotSent(reason.clone()))).collect();
            }
        };
        let mut transitions = Vec::with_capacity(jobs.len());
        let mut calls = Vec::new();
        for ((tenant, sandbox), jobs) in fill::by_account(jobs) {
            match &accounts[&tenant] {
                Ok(account) => {
                    calls.extend(fill::calls(jobs).into_iter().map(|jobs| (account, sandbox, jobs)));
                }
                Err(reason) => {
                    transitions
                        .extend(jobs.iter().map(|job| self.conclude(job, Outcome::NotSent(reason.clone()))));
                }
            }
        }
        let calls =
            calls.into_iter().map(|(account, sandbox, jobs)| self.call(account, sandbox, jobs, until));
        transitions.extend(join_all(calls).await.into_iter().flatten());
        transitions
    }

    /// The account of each tenant, or why there is none.
    async fn accounts(
        &self,
        jobs: &[Job],
    ) -> Result<HashMap<TenantId, Result<Account, Reason>>, store::Error> {
        let mut tenants: Vec<TenantId> = jobs.iter().map(|job| job.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let mut found = providers::get_many(&self.store, &self.keyring, &tenants).await?;
        Ok(tenants.into_iter().map(|tenant| (tenant, account(found.remove(&tenant)))).collect())
    }

    /// Records outcomes, for as long as it takes within reason: what is not recorded has to be asked for.
    pub(crate) async fn record(&self, transitions: &[Transition]) {
        let deadline = Instant::now() + RECORD_FOR;
        let mut wait = Duration::from_millis(100);
        loop {
            match store::messages::record(&self.store, transitions).await {
                Ok(()) => break,
                Err(fault) if fault.is_transient() && Instant::now() < deadline => {
                    tracing::debug!(%fault, "outcomes are not recorded yet");
                }
                Err(fault) => {
                    let fault = crate::bisect::describe(&fault);
                    tracing::error!(%fault, count = transitions.len(), "outcomes are not recorded; Mailjet will be asked");
                    return;
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(3));
        }
        for transition in transitions {
            metrics::counter!("raven_attempts_total", "outcome" => transition.outcome.name()).increment(1);
        }
    }
}

fn account(found: Option<Result<Provider, store::Error>>) -> Result<Account, Reason> {
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
    Ok(Account {
        credentials: Credentials { api_key: provider.api_key, api_secret: provider.api_secret },
        from,
    })
}

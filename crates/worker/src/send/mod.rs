//! Sending: from messages that arrive or are due to their recorded outcomes.
//!
//! ```text
//! queue.rs ─┐ room?                                    ┌─► call.rs ─► conclude.rs ─┐
//!           ├─► desk.rs ─► claim ─► line.rs (fill.rs) ─┴─► call.rs ─► conclude.rs ─┴─► record.rs
//! due.rs ───┘                       one an account         several at once
//! ```
//!
//! Each account has a line and a pace of its own, so that one in trouble holds up nobody else.

mod accounts;
mod call;
mod conclude;
mod culprit;
mod deadline;
mod desk;
pub(crate) mod due;
mod fill;
mod line;
mod news;
pub(crate) mod questions;
mod queue;
mod reconcile;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::retry::{ReconcilePolicy, RetryPolicy};
use domain::{Message, MessageId, QueuedMessage, Reason, TenantId};
use jiff::Timestamp;
use service::{Liveness, Ration};
use store::Store;
use store::messages::Unbegun;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use accounts::{Account, Accounts};
use culprit::Culprits;
use deadline::Deadline;
use desk::{Desk, Place};
use line::Line;
use record::{Recorder, Settled};

use crate::settings::Settings;

pub(crate) use queue::Intake;

/// Calls to Mailjet in progress at once in this process, of all accounts.
const CALLS: usize = 512;
/// A lease outlasts the last moment at which a call may be in progress by this much.
const MARGIN: Duration = Duration::from_secs(2);

/// A claimed message.
pub(crate) struct Job {
    id: MessageId,
    tenant: TenantId,
    account: Arc<Account>,
    /// The number of the attempt that the claim began.
    attempt: u32,
    /// How many attempts there were with this one.
    tries: u32,
    /// Earlier attempts that had no answer, and of which Mailjet had not heard.
    vanished: u32,
    /// Since when it was to be sent.
    since: Timestamp,
    sandbox: bool,
    /// Without the recipients that are left out.
    message: Message,
    /// How many there are: Mailjet counts an address once for each message.
    recipients: usize,
    /// Bytes of a call that it takes, roughly.
    bytes: usize,
    /// Until when a call with it may begin.
    deadline: Deadline,
    /// When it came to its line.
    arrived: Instant,
    place: Place,
}

/// What a claim says of a message.
struct Claim {
    attempt: u32,
    tries: u32,
    vanished: u32,
    since: Timestamp,
    deadline: Deadline,
}

impl Job {
    fn new(queued: QueuedMessage, account: Arc<Account>, claim: &Claim, place: Place) -> Self {
        Self {
            id: queued.id,
            tenant: queued.tenant,
            account,
            attempt: claim.attempt,
            tries: claim.tries,
            vanished: claim.vanished,
            since: claim.since,
            sandbox: queued.sandbox,
            recipients: queued.message.distinct_recipients(),
            bytes: queued.message.wire_size(),
            message: queued.message,
            deadline: claim.deadline,
            arrived: Instant::now(),
            place,
        }
    }

    /// Ends it without a call.
    fn give_back(self, reason: Option<Reason>) -> Settled {
        let unbegun = Unbegun { id: self.id, tenant: self.tenant, attempt: self.attempt, reason };
        Settled::unbegun(unbegun, Some(self.place))
    }
}

/// What would fill the log in trouble.
#[derive(Default)]
struct Rations {
    /// Accounts that come into trouble, or out of it.
    accounts: Ration,
    /// Messages that Mailjet refuses.
    refusals: Ration,
}

/// Everything that sending needs.
pub(crate) struct Sender {
    store: Store,
    accounts: Accounts,
    client: mailjet::Client,
    desk: Arc<Desk>,
    recorder: Recorder,
    retry: RetryPolicy,
    reconcile: ReconcilePolicy,
    linger: Duration,
    calls: Semaphore,
    liveness: Liveness,
    rations: Rations,
    culprits: Culprits,
    work: TaskTracker,
    shutdown: CancellationToken,
}

impl Sender {
    pub(crate) fn new(
        settings: &Settings,
        store: Store,
        liveness: Liveness,
        (work, shutdown): (&TaskTracker, &CancellationToken),
    ) -> Arc<Self> {
        Arc::new(Self {
            accounts: Accounts::new(store.clone(), settings.keyring.clone()),
            client: settings.mailjet.clone(),
            desk: Desk::new(),
            recorder: Recorder::new(store.clone(), liveness.clone()),
            store,
            retry: settings.retry,
            reconcile: settings.reconcile,
            linger: settings.linger,
            calls: Semaphore::new(CALLS),
            liveness,
            rations: Rations::default(),
            culprits: Culprits::default(),
            work: work.clone(),
            shutdown: shutdown.clone(),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// How long a claim holds: as long as a call under it may begin, a whole call, and a margin. So no other worker
    /// asks for, or sends, a message that may still be in somebody's call.
    fn lease(&self) -> Duration {
        self.client.timeout() * 2 + MARGIN
    }

    /// Until when calls may begin under a claim that is made after this.
    fn begin(&self) -> Deadline {
        Deadline::after(self.client.timeout())
    }

    /// Puts claimed messages in the lines of their accounts, and makes lines for those that have none.
    fn hand_over(self: &Arc<Self>, jobs: Vec<Job>) {
        let mut by_tenant: BTreeMap<TenantId, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            by_tenant.entry(job.tenant).or_default().push(job);
        }
        for (tenant, jobs) in by_tenant {
            if let Some(inbox) = self.desk.hand_over(tenant, jobs) {
                self.work.spawn(Line::new(Arc::clone(self), tenant, inbox).run());
            }
        }
    }

    /// Has outcomes recorded, together with others that end meanwhile.
    fn settle(self: &Arc<Self>, settled: Vec<Settled>) {
        if settled.is_empty() {
            return;
        }
        self.recorder.put(settled);
        let sender = Arc::clone(self);
        self.work.spawn(async move { sender.recorder.write().await });
    }
}

/// What is shown on a message that has to wait for its account.
fn held_back(trouble: &Reason) -> Reason {
    let Reason { code, message } = trouble;
    Reason::new("held_back", format!("It waits, since the account's calls fail for now: {message} ({code})"))
}

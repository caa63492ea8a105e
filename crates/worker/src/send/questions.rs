//! Asking for attempts of which nobody knows the outcome, when their time has come.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::TenantId;
use futures_util::stream::{self, StreamExt as _};
use store::messages::{Kind, Question, take_questions, waiting};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Known;
use super::culprit::{Work, around};
use super::deadline::Deadline;
use super::due::{AFTER_FAILURE, TENANTS, pause};
use super::record::Settled;
use super::{Sender, reconcile};

/// Questions of one tenant that are taken together.
const TAKEN: i64 = 16;
/// Questions to one account in progress at once; Mailjet's look-up takes far fewer calls than its Send API.
const AT_ONCE: usize = 4;
/// Tenants that are asked for at once.
const TENANTS_AT_ONCE: usize = 32;

/// Tenants for whom questions are in progress. One whose account does not answer holds up only itself.
#[derive(Default)]
struct Busy(Mutex<HashSet<TenantId>>);

impl Busy {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<TenantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a tenant busy until it is dropped, however that comes.
struct AtWork(Arc<Busy>, TenantId);

impl AtWork {
    fn begin(busy: &Arc<Busy>, tenant: TenantId) -> Self {
        busy.lock().insert(tenant);
        Self(Arc::clone(busy), tenant)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// Asks until shutdown; what has been begun then, is finished.
pub(crate) async fn run(sender: Arc<Sender>, shutdown: CancellationToken) {
    let busy = Arc::new(Busy::default());
    while !shutdown.is_cancelled() {
        let wait = once(&sender, &busy).await.unwrap_or_else(|fault| {
            sender.culprits.tell_of_all(Work::Ask, &fault);
            AFTER_FAILURE
        });
        shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

/// Begins what is due; answers how long to wait before looking again.
async fn once(sender: &Arc<Sender>, busy: &Arc<Busy>) -> Result<Duration, store::Error> {
    let turn = sender.liveness.turn("questions");
    let started = Instant::now();
    let waiting = waiting(&sender.store, Kind::Questions, TENANTS).await?;
    let wait = pause(started.elapsed(), &waiting);
    let tenants: Vec<TenantId> = {
        let (busy, culprits) = (busy.lock(), sender.culprits.of(Work::Ask));
        let is_free = |tenant| !busy.contains(tenant) && !culprits.contains(tenant);
        let free = waiting.iter().filter(|next| next.wait.is_zero() && is_free(&next.tenant));
        free.map(|next| next.tenant).take(TENANTS_AT_ONCE.saturating_sub(busy.len())).collect()
    };
    if tenants.is_empty() {
        return Ok(wait);
    }
    let accounts = sender.accounts.of(tenants.iter().copied()).await?;
    let take = async |part: Range<usize>| {
        let part = tenants.get(part).unwrap_or_default();
        turn.renew();
        let until = sender.begin();
        let questions = take_questions(&sender.store, part, TAKEN, sender.lease()).await?;
        begin(sender, busy, questions, &accounts, until);
        Ok(())
    };
    let done = around(tenants.len(), take).await?;
    for (place, fault) in &done.culprits {
        sender.culprits.add(Work::Ask, tenants[*place], fault, done.took);
    }
    Ok(wait)
}

/// Has the questions asked, each tenant's for itself.
fn begin(
    sender: &Arc<Sender>,
    busy: &Arc<Busy>,
    mut questions: Vec<Question>,
    accounts: &HashMap<TenantId, Known>,
    until: Deadline,
) {
    for (&tenant, account) in accounts {
        let theirs: Vec<Question> = questions.extract_if(.., |question| question.tenant == tenant).collect();
        if !theirs.is_empty() {
            let at_work = AtWork::begin(busy, tenant);
            let (sender, account) = (Arc::clone(sender), account.clone());
            sender.work.clone().spawn(async move {
                let _turn = sender.liveness.turn("questions");
                ask_all(&sender, theirs, account, until).await;
                drop(at_work);
            });
        }
    }
}

/// A question that cannot begin before `until` is left: its lease runs out, and it is taken again.
async fn ask_all(sender: &Arc<Sender>, questions: Vec<Question>, account: Known, until: Deadline) {
    let asking = questions.into_iter().map(|question| {
        let (sender, account) = (Arc::clone(sender), account.clone());
        async move {
            if !until.passed() {
                let transition = reconcile::ask(&sender, &question, &account).await;
                sender.settle(vec![Settled::attempt(transition, None)]);
            }
        }
    });
    stream::iter(asking).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

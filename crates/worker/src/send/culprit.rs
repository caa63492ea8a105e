//! Finding the tenant whose messages the database does not hand over, so that it stands in nobody else's way.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::TenantId;
use service::Ration;
use service::tasks::describe;
use store::Error;
use tokio::time::Instant;

/// For how long a culprit is left out at least, and how many times as long as it took to find, since that costs everybody
/// time.
const LEFT_OUT: Duration = Duration::from_mins(1);
const TIMES: u32 = 4;

/// What is done for tenants, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Work {
    /// Taking what is due.
    Take,
    /// Giving up what is late.
    GiveUp,
    /// Taking open questions.
    Ask,
}

/// Tenants for whom the database did nothing lately.
#[derive(Debug, Default)]
pub(super) struct Culprits {
    until: Mutex<HashMap<(Work, TenantId), Instant>>,
    /// What is told of them.
    told: Ration,
    /// What is told where the database does nothing for anybody.
    told_of_all: Ration,
}

impl Culprits {
    /// Has a tenant left out for a while, which it took so long to find.
    pub(super) fn add(&self, work: Work, tenant: TenantId, fault: &Error, search: Duration) {
        let span = LEFT_OUT.max(search * TIMES);
        if let Some(left_out) = self.told.take() {
            let (fault, seconds) = (describe(fault), span.as_secs());
            tracing::error!(fault, ?work, %tenant, seconds, left_out, "not done for a tenant, who is left out for a while");
        }
        self.lock().insert((work, tenant), Instant::now() + span);
    }

    /// Who is left out now.
    pub(super) fn of(&self, work: Work) -> HashSet<TenantId> {
        let (mut until, now) = (self.lock(), Instant::now());
        until.retain(|_, until| now < *until);
        until.keys().filter(|(of, _)| *of == work).map(|(_, tenant)| *tenant).collect()
    }

    /// Tells that nothing is done, unless the database is plainly away, which readiness tells.
    pub(super) fn tell_of_all(&self, work: Work, fault: &Error) {
        if (!fault.is_transient() || fault.is_of_statement())
            && let Some(left_out) = self.told_of_all.take()
        {
            let fault = describe(fault);
            tracing::error!(fault, ?work, left_out, "not done for anybody");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Work, TenantId), Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements that take too long, or wait too long for a lock, before that is taken for everybody's trouble: enough to find
/// one tenant among five hundred, and its neighbour.
const MOST_FAILED: u32 = 12;

/// What came of the work for some tenants.
#[derive(Debug)]
pub(super) struct Done<O> {
    /// Of each part that went well.
    pub(super) taken: Vec<O>,
    /// By their places, those for whom the database does nothing, and why.
    pub(super) culprits: Vec<(usize, Error)>,
    /// How long all of it took.
    pub(super) took: Duration,
}

/// Takes for all `tenants` at once; where the database will not have it, or it takes too long, halves them until the culprit
/// is alone.
///
/// # Errors
///
/// What fails everywhere is no tenant's fault.
pub(super) async fn around<R, O>(tenants: usize, take: impl Fn(Range<usize>) -> R) -> Result<Done<O>, Error>
where
    R: Future<Output = Result<O, Error>>,
{
    let (began, mut failed) = (Instant::now(), 0);
    let (mut taken, mut culprits) = (Vec::new(), Vec::new());
    let all = 0..tenants;
    let mut open = vec![all];
    while let Some(part) = open.pop().filter(|part| !part.is_empty()) {
        let fault = match take(part.clone()).await {
            Ok(some) => {
                taken.push(some);
                continue;
            }
            Err(fault) => fault,
        };
        failed += 1;
        if fault.is_transient() && (!fault.is_of_statement() || failed > MOST_FAILED) {
            return Err(fault);
        }
        if part.len() == 1 {
            culprits.push((part.start, fault));
        } else {
            let middle = part.start + part.len() / 2;
            open.extend([middle..part.end, part.start..middle]);
        }
    }
    match culprits.pop() {
        Some((_, fault)) if taken.is_empty() => Err(fault),
        last => {
            culprits.extend(last);
            Ok(Done { taken, culprits, took: began.elapsed() })
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_culprit_is_left_out_for_a_while_and_for_one_kind_of_work() {
        let (culprits, one) = (Culprits::default(), TenantId(Uuid::nil()));
        culprits.add(Work::Ask, one, &Error::Constraint("c".to_owned()), Duration::ZERO);
        assert_eq!((culprits.of(Work::Ask), culprits.of(Work::Take)), (HashSet::from([one]), HashSet::new()));
        tokio::time::advance(LEFT_OUT).await;
        assert!(culprits.of(Work::Ask).is_empty());
        culprits.add(Work::Ask, one, &Error::Constraint("c".to_owned()), LEFT_OUT);
        tokio::time::advance(2 * LEFT_OUT).await;
        assert!(!culprits.of(Work::Ask).is_empty(), "it took long to find");
    }

    /// Takes for so many tenants, of whom `bad` fail as `fault` says; answers those taken for and the culprits.
    async fn take(
        tenants: usize,
        bad: impl Fn(usize) -> bool,
        fault: fn() -> Error,
    ) -> Result<(Vec<usize>, Vec<usize>), Error> {
        let take = async |part: Range<usize>| {
            if part.clone().any(&bad) { Err(fault()) } else { Ok(part.collect::<Vec<_>>()) }
        };
        let done = around(tenants, take).await?;
        let mut taken = done.taken.concat();
        taken.sort_unstable();
        Ok((taken, done.culprits.into_iter().map(|(place, _)| place).collect()))
    }

    fn refused() -> Error {
        Error::Constraint("c".to_owned())
    }

    #[tokio::test]
    async fn all_but_the_culprits_are_served() {
        let (taken, culprits) = take(40, |one| [7, 30].contains(&one), refused).await.unwrap();
        assert_eq!(culprits, [7, 30]);
        assert_eq!(taken.len(), 38);
        assert!(!taken.contains(&7) && !taken.contains(&30));
    }

    #[tokio::test]
    async fn what_fails_for_all_is_nobodys_fault() {
        for tenants in [1, 2, 5, 40] {
            let fault = take(tenants, |_| true, refused).await.unwrap_err();
            assert!(!fault.is_transient(), "{tenants}");
        }
        let fault = take(40, |one| one == 7, || Error::Unavailable("away".into())).await.unwrap_err();
        assert!(fault.is_transient());
    }

    #[tokio::test]
    async fn for_nobody_nothing_is_asked() {
        let never = async |_| -> Result<(), Error> { panic!("there is nobody") };
        assert!(around(0, never).await.unwrap().taken.is_empty());
    }
}

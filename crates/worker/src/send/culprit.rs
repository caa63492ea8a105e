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

/// For how long a culprit is left out, since finding it costs everybody time.
const LEFT_OUT: Duration = Duration::from_mins(1);

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
    since: Mutex<HashMap<(Work, TenantId), Instant>>,
    /// What is told of them.
    told: Ration,
    /// What is told where the database does nothing for anybody.
    told_of_all: Ration,
}

impl Culprits {
    /// Has a tenant left out for a minute.
    pub(super) fn add(&self, work: Work, tenant: TenantId, fault: &Error) {
        if let Some(left_out) = self.told.take() {
            let fault = describe(fault);
            tracing::error!(fault, ?work, %tenant, left_out, "not done for a tenant, who is left out for a minute");
        }
        self.lock().insert((work, tenant), Instant::now());
    }

    /// Who is left out now.
    pub(super) fn of(&self, work: Work) -> HashSet<TenantId> {
        let mut since = self.lock();
        since.retain(|_, since| since.elapsed() < LEFT_OUT);
        since.keys().filter(|(of, _)| *of == work).map(|(_, tenant)| *tenant).collect()
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
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements that take too long, or wait too long for a lock, before that is taken for everybody's trouble: enough to find
/// one tenant among five hundred, and its neighbour.
const MOST_FAILED: u32 = 12;

/// Takes for all `tenants` at once; where the database will not have it, or it takes too long, halves them until the culprit
/// is alone, of whom `tell` is told. Answers what came of each part that went well.
///
/// # Errors
///
/// What goes on failing everywhere is no tenant's fault.
pub(super) async fn around<R, O>(
    tenants: usize,
    take: impl Fn(Range<usize>) -> R,
    tell: impl Fn(usize, &Error),
) -> Result<Vec<O>, Error>
where
    R: Future<Output = Result<O, Error>>,
{
    let (mut taken, mut failed) = (Vec::new(), 0);
    let all = 0..tenants;
    let mut open = vec![all];
    while let Some(part) = open.pop() {
        let fault = match take(part.clone()).await {
            Ok(some) => {
                taken.push(some);
                continue;
            }
            Err(fault) => fault,
        };
        failed += 1;
        let is_everybodys = fault.is_transient() && (!fault.is_of_statement() || failed > MOST_FAILED);
        if is_everybodys || tenants == 1 {
            return Err(fault);
        }
        if part.len() == 1 {
            tell(part.start, &fault);
        } else {
            let middle = part.start + part.len() / 2;
            open.extend([middle..part.end, part.start..middle]);
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_culprit_is_left_out_for_a_minute_and_for_one_kind_of_work() {
        let (culprits, one) = (Culprits::default(), TenantId(Uuid::nil()));
        culprits.add(Work::Ask, one, &Error::Constraint("c".to_owned()));
        assert_eq!((culprits.of(Work::Ask), culprits.of(Work::Take)), (HashSet::from([one]), HashSet::new()));
        tokio::time::advance(LEFT_OUT).await;
        assert!(culprits.of(Work::Ask).is_empty());
    }

    /// Takes for 40 tenants, of whom `bad` fail as `fault` says; answers those taken for and those told of.
    async fn take(bad: &[usize], fault: fn() -> Error) -> Result<(Vec<usize>, Vec<usize>), Error> {
        let told = RefCell::new(Vec::new());
        let take = async |part: Range<usize>| {
            if bad.iter().any(|one| part.contains(one)) { Err(fault()) } else { Ok(part.collect::<Vec<_>>()) }
        };
        let mut taken = around(40, take, |one, _| told.borrow_mut().push(one)).await?.concat();
        taken.sort_unstable();
        Ok((taken, told.into_inner()))
    }

    #[tokio::test]
    async fn all_but_the_culprits_are_served() {
        let (taken, told) = take(&[7, 30], || Error::Constraint("c".to_owned())).await.unwrap();
        assert_eq!(told, [7, 30]);
        assert_eq!(taken.len(), 38);
        assert!(!taken.contains(&7) && !taken.contains(&30));
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_nobodys_fault() {
        let fault = take(&[7], || Error::Unavailable("away".into())).await.unwrap_err();
        assert!(fault.is_transient());
    }
}

//! Deleting what has grown old, by one worker at a time, in small steps with pauses.

use std::collections::HashMap;
use std::time::Duration;

use domain::TenantId;
use service::Liveness;
use service::tasks::describe;
use store::retention::{self, Place, Step};
use store::{Error, Store, chores, erasure, tenants};
use tokio_util::sync::CancellationToken;

use crate::settings::Retention;

/// Between two steps, so that others have the database to themselves most of the time.
const PAUSE: Duration = Duration::from_millis(100);
/// Tries for a step that others are in the way of, and the pause before the next.
const TRIES: u32 = 5;
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Turns in a row in which a kind of work was not done, before somebody is told: a dump of the database is in the way for a
/// turn or two.
const PATIENCE: u32 = 3;

/// Deletes from time to time, until shutdown.
pub(crate) async fn keep(store: Store, settings: Retention, liveness: Liveness, shutdown: CancellationToken) {
    let turn = Turn { store, settings, liveness, shutdown };
    let mut failing = HashMap::new();
    loop {
        if let Err(fault) = turn.take(&mut failing).await {
            tracing::debug!(fault = describe(&fault), "deleting what is old goes on later");
        }
        if turn.pause(turn.settings.every).await.is_none() {
            return;
        }
    }
}

/// What there is to delete.
#[derive(Debug)]
enum Work {
    /// Contents of messages out of which somebody was erased, once nobody is to get them any more.
    ErasedContents,
    Bodies(Duration),
    Messages {
        tenant: TenantId,
        keep: Duration,
        after: Option<Place>,
    },
    EventMonths(Duration),
    OlderEvents(Duration),
    UntimedEvents(Duration),
    AuditLog(Duration),
}

impl Work {
    /// The name in logs and metrics.
    const fn name(&self) -> &'static str {
        match self {
            Self::ErasedContents => "erased_contents",
            Self::Bodies(_) => "bodies",
            Self::Messages { .. } => "messages",
            Self::EventMonths(_) => "event_months",
            Self::OlderEvents(_) => "older_events",
            Self::UntimedEvents(_) => "untimed_events",
            Self::AuditLog(_) => "audit_entries",
        }
    }

    async fn step(&mut self, store: &Store) -> Result<Step, Error> {
        match self {
            Self::ErasedContents => erasure::finish_settled(store).await,
            Self::Bodies(keep) => retention::bodies(store, *keep).await,
            Self::Messages { tenant, keep, after } => {
                let (step, place) = retention::messages(store, *tenant, *keep, *after).await?;
                *after = place.or(*after);
                Ok(step)
            }
            Self::EventMonths(keep) => retention::drop_month(store, *keep).await,
            Self::OlderEvents(keep) => retention::older_events(store, *keep).await,
            Self::UntimedEvents(keep) => retention::untimed_events(store, *keep).await,
            Self::AuditLog(keep) => retention::audit_log(store, *keep).await,
        }
    }
}

struct Turn {
    store: Store,
    settings: Retention,
    liveness: Liveness,
    shutdown: CancellationToken,
}

impl Turn {
    /// None at shutdown.
    async fn pause(&self, time: Duration) -> Option<()> {
        self.shutdown.run_until_cancelled(tokio::time::sleep(time)).await
    }

    /// One turn, unless another worker takes it. What cannot be done holds up nothing else, and is told when it cannot be
    /// done for several turns.
    async fn take(&self, failing: &mut HashMap<&'static str, u32>) -> Result<(), Error> {
        // A little earlier than due, or each turn would be missed by the time that the last one took.
        if !chores::take(&self.store, "delete what is old", self.settings.every.mul_f64(0.9)).await? {
            return Ok(());
        }
        let mut faults = HashMap::new();
        for work in self.work().await? {
            let what = work.name();
            if let Err(fault) = self.steps(work).await {
                faults.entry(what).or_insert(fault);
            }
        }
        failing.retain(|what, _| faults.contains_key(what));
        for (what, fault) in faults {
            let turns = failing.entry(what).or_default();
            *turns += 1;
            if *turns == PATIENCE || (*turns == 1 && !fault.is_transient()) {
                tracing::warn!(what, fault = describe(&fault), "what is old could not be deleted");
            }
        }
        Ok(())
    }

    /// What there is to do in a turn.
    async fn work(&self) -> Result<Vec<Work>, Error> {
        let Retention { bodies, messages, events, audit, .. } = self.settings;
        let mut work = vec![Work::ErasedContents];
        work.extend(bodies.map(Work::Bodies));
        if let Some(keep) = messages {
            let tenants = tenants::list(&self.store).await?.into_iter();
            work.extend(tenants.map(|tenant| Work::Messages { tenant: tenant.id, keep, after: None }));
        }
        if let Some(keep) = events {
            work.extend([Work::EventMonths(keep), Work::OlderEvents(keep), Work::UntimedEvents(keep)]);
        }
        work.extend(audit.map(Work::AuditLog));
        Ok(work)
    }

    /// Goes on as long as there is more, and tells how much that was.
    async fn steps(&self, mut work: Work) -> Result<(), Error> {
        let what = work.name();
        let (mut removed, mut failures) = (0, 0);
        let result = loop {
            let turn = self.liveness.turn("retention");
            let step = work.step(&self.store).await;
            drop(turn);
            let wait = match step {
                Ok(Step { removed: now, more }) => {
                    failures = 0;
                    removed += now;
                    metrics::counter!("raven_old_rows_deleted_total", "what" => what).increment(now);
                    if !more {
                        break Ok(());
                    }
                    PAUSE
                }
                Err(fault) if fault.is_transient() && failures < TRIES => {
                    failures += 1;
                    AFTER_FAILURE
                }
                Err(fault) => break Err(fault),
            };
            if self.pause(wait).await.is_none() {
                break Ok(());
            }
        };
        if removed > 0 {
            tracing::info!(what, removed, "deleted for its age");
        }
        result
    }
}

//! Looks at sending domains, each in its turn, whichever worker gets it. Some looks at once, at most one of each tenant: a
//! tenant with many domains, or whose account does not answer, holds up nobody else's.

use std::collections::HashSet;
use std::time::Duration;

use domain::{Rhythm, TenantId};
use futures_util::future::join_all;
use provisioning::Provisioner;
use provisioning::domains::{Looked, News};
use service::tasks::describe;
use service::{Liveness, Ration};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Looks at once.
const LOOKS: usize = 4;
/// Of the shortest period, the part that a domain may wait for a worker to notice that it is due.
const NOTICE: u32 = 10;
/// The longest that may be.
const LONGEST_NOTICE: Duration = Duration::from_secs(3);
/// Looks after which a worker asks the database again in its own time, whatever is due.
const MOST: usize = 20;

/// Looks at what is due, until shutdown. A look that is cut off by that is one turn skipped.
pub(crate) async fn look(
    provisioner: Provisioner,
    rhythm: Rhythm,
    liveness: Liveness,
    shutdown: CancellationToken,
) {
    let looker = Looker { provisioner, rhythm, liveness, ration: Ration::default(), busy: Mutex::default() };
    let _: Option<Vec<()>> = shutdown.run_until_cancelled(join_all((0..LOOKS).map(|_| looker.go_on()))).await;
}

struct Looker {
    provisioner: Provisioner,
    rhythm: Rhythm,
    liveness: Liveness,
    /// What cannot be looked at, in the log.
    ration: Ration,
    /// Tenants one of whose domains is being looked at. Held while a turn is taken.
    busy: Mutex<HashSet<TenantId>>,
}

impl Looker {
    async fn go_on(&self) {
        let notice = (self.rhythm.soon / NOTICE).min(LONGEST_NOTICE);
        loop {
            tokio::time::sleep(notice).await;
            for _ in 0..MOST {
                let _turn = self.liveness.turn("domains");
                match self.look().await {
                    Ok(Some(looked)) => tell(&looked),
                    Ok(None) => break,
                    Err(fault) => {
                        if !fault.is_transient()
                            && let Some(left_out) = self.ration.take()
                        {
                            tracing::warn!(
                                fault = describe(&fault),
                                left_out,
                                "a sending domain was not looked at"
                            );
                        }
                        break;
                    }
                }
            }
        }
    }

    /// Looks at one domain, if one is due.
    async fn look(&self) -> Result<Option<Looked>, store::Error> {
        let turn = {
            let mut busy = self.busy.lock().await;
            let turn = self.provisioner.take_due_domain(&self.rhythm, busy.iter().copied()).await?;
            let Some(turn) = turn else { return Ok(None) };
            busy.insert(turn.domain.tenant);
            turn
        };
        let tenant = turn.domain.tenant;
        let looked = self.provisioner.look_at_domain(turn).await;
        self.busy.lock().await.remove(&tenant);
        looked.map(Some)
    }
}

/// Tells what has changed, once.
fn tell(looked: &Looked) {
    let Looked { tenant, name, news } = looked;
    match news {
        News::None => {}
        News::Status(status) => {
            tracing::info!(%tenant, domain = %name, status = status.as_str(), "a sending domain changed");
        }
        News::Fault(reason) => {
            tracing::warn!(%tenant, domain = %name, reason = reason.message, "a sending domain cannot be looked at");
        }
    }
}
